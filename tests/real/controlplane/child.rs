//! A child process that does not outlive us, however we end, and of which we see when it ends by itself.
//!
//! A small shell stands between: it holds the reading end of a pipe whose writing end only we have. When we end, by a
//! return, a panic or SIGKILL, the kernel closes the pipe, and the shell ends the child. The shell leads a process group
//! of its own, so that Ctrl-C at a terminal reaches us alone and the order of things stays ours.

use super::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// $1 is the log, $2 the signal that asks the child to end; the rest is the command. `read` returns at the end of the
/// pipe. The child's pid goes to stdout; then stdout is closed, and nobody reads on.
const NURSE: &str = r#"
log=$1 signal=$2
shift 2
exec 3<&0
"$@" </dev/null >"$log" 2>&1 3<&- &
child=$!
echo "$child"
exec >/dev/null 2>&1
{
    read -r _ <&3
    kill -s "$signal" "$child"
    seconds=0
    while kill -s 0 "$child" && [ "$seconds" -lt 10 ]; do
        sleep 1
        seconds=$((seconds + 1))
    done
    kill -s KILL "$child"
} &
watch=$!
wait "$child"
status=$?
kill "$watch"
exit "$status"
"#;

/// How a child is asked to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Farewell {
    /// At once: its data are thrown away anyway.
    Kill,
    /// SIGTERM, and SIGKILL after ten seconds.
    Terminate,
}

/// A running child.
#[derive(Debug)]
pub(crate) struct Supervised {
    name: &'static str,
    log: PathBuf,
    pid: u32,
    nurse: Child,
}

impl Supervised {
    /// Starts `command` (its arguments and environment count, its streams do not) with its output in the file `log`.
    pub(crate) fn spawn(
        name: &'static str,
        command: &Command,
        log: &Path,
        farewell: Farewell,
    ) -> Result<Self, Error> {
        let program = Path::new(command.get_program());
        let mut shell = Command::new("sh");
        shell
            .args(["-c", NURSE, "sh"])
            .arg(log)
            .arg(match farewell {
                Farewell::Kill => "KILL",
                Farewell::Terminate => "TERM",
            });
        shell.arg(program).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(key, value),
                None => shell.env_remove(key),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            shell.current_dir(dir);
        }
        shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0);
        let mut nurse = shell.spawn().map_err(Error::io("start", program))?;
        let mut line = String::new();
        if let Some(stdout) = nurse.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(Error::io("start", program))?;
        }
        let pid = line
            .trim()
            .parse()
            .map_err(std::io::Error::other)
            .map_err(Error::io("start", program))?;
        Ok(Self {
            name,
            log: log.to_owned(),
            pid,
            nurse,
        })
    }

    /// The process id of the child itself.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The file with its output.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Asks `is_there` every 25 ms until it says `Ok`, for at most `limit`; gives up at once when the child has ended.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &'static str,
        limit: Duration,
        mut is_there: impl FnMut() -> Result<T, String>,
    ) -> Result<T, Error> {
        let start = Instant::now();
        loop {
            let last = match is_there() {
                Ok(value) => return Ok(value),
                Err(last) => last,
            };
            self.still_runs()?;
            if start.elapsed() > limit {
                return Err(Error::Late {
                    what,
                    seconds: limit.as_secs(),
                    last,
                    process: self.name,
                    log: tail(&self.log),
                });
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// An error with the end of the log if the child has ended.
    pub(crate) fn still_runs(&mut self) -> Result<(), Error> {
        match self
            .nurse
            .try_wait()
            .map_err(Error::io("wait for", Path::new(self.name)))?
        {
            None => Ok(()),
            Some(status) => Err(Error::Ended {
                process: self.name,
                status,
                log: tail(&self.log),
            }),
        }
    }

    /// Asks the child to end and waits until it has.
    pub(crate) fn stop(&mut self) -> Result<ExitStatus, Error> {
        drop(self.nurse.stdin.take());
        self.nurse
            .wait()
            .map_err(Error::io("wait for", Path::new(self.name)))
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Nothing can be done about an error here, and the pipe is closed in any case.
        drop(self.stop());
    }
}

/// The last 2 KB of a log, from the start of a line.
pub(crate) fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(2048)))?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let cut = if bytes.len() < 2048 {
                None
            } else {
                text.split_once('\n').map(|(_, rest)| rest.to_owned())
            };
            cut.unwrap_or(text).trim_end().to_owned()
        }
        Err(error) => format!("(no log: {error})"),
    }
}
