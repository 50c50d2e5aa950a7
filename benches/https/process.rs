//! A server in a process of its own, and what the kernel says of it.

use std::{
    fs,
    process::{Child, Command},
};

/// A server process. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
}

/// Memory of a process, in MiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// What it holds now.
    pub(crate) resident: f64,
    /// The most that it ever held.
    pub(crate) peak: f64,
}

impl Server {
    /// Starts it. What it says goes where ours goes.
    pub(crate) fn start(command: &mut Command) -> Self {
        let program = command.get_program().to_owned();
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Self { child }
    }

    /// Processor time so far, in seconds, of all its threads (`proc_pid_stat(5)`: ticks of 10 ms).
    pub(crate) fn processor(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name of the program, in brackets, may hold anything.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks: u32 = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u32>().unwrap())
            .sum();
        f64::from(ticks) / 100.0
    }

    /// Memory as of now.
    pub(crate) fn memory(&self) -> Memory {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let mebibytes = |key: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .unwrap();
            let kibibytes = line.trim().trim_end_matches(" kB");
            kibibytes.parse::<f64>().unwrap() / 1024.0
        };
        Memory {
            resident: mebibytes("VmRSS:"),
            peak: mebibytes("VmHWM:"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
