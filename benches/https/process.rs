//! A server in a process of its own, and what the kernel says of it.

use std::{fs, path::Path, process::Command};

use crate::controlplane::child::{Farewell, Supervised};

/// A server process. It ends when this is dropped, and with us however we end.
pub(crate) struct Server(Supervised);

/// Memory of a process, in MiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// What it holds now.
    pub(crate) resident: f64,
    /// The most that it ever held.
    pub(crate) peak: f64,
}

impl Server {
    /// Starts it, with what it says in a file.
    pub(crate) fn start(command: &Command, log: &Path) -> Self {
        Self(Supervised::spawn("server", command, log, Farewell::Kill).unwrap())
    }

    /// Processor time so far, in seconds, of all its threads (`proc_pid_stat(5)`: ticks of 10 ms).
    pub(crate) fn processor(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.pid())).unwrap();
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
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.pid())).unwrap();
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
