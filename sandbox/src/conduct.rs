//! One run from its order to its report: who watches it, counts what it writes, and ends it.

use std::time::Instant;

use serde_json::Value as Json;
use tokio::time::timeout_at;

use crate::cell::{Autopsy, Cell, Event};
use crate::protocol::{Answer, Reader, Wrong, bounded, new_mark, order};
use crate::{
    Ending, Language, Limit, LimitHit, Limits, OutputFile, Report, SandboxError, Script, ScriptError,
};

/// What shells say when they can make no process.
const NO_FORK: [&str; 2] = ["fork: retry: ", "Cannot fork"];

/// How many lines of what a shell has said are its traceback.
const SHELL_TRACEBACK: usize = 20;

/// Runs a script in a cell. Dropped, the future ends the run: the cell goes with it.
pub(crate) async fn conduct(
    cell: &mut dyn Cell,
    script: &Script,
    limits: &Limits,
) -> Result<Report, SandboxError> {
    let mark = new_mark();
    let order = order(script, &mark).map_err(SandboxError::Order)?;
    let begun = Instant::now();
    let deadline = (begun + limits.timeout).into();
    let mut run = Run {
        stdout: Reader::stdout(&mark),
        stderr: Reader::stderr(&mark),
        limits,
    };
    let end = match timeout_at(deadline, cell.send(&order, limits)).await {
        Ok(sent) => {
            match sent {
                Ok(()) => timeout_at(deadline, run.until_its_end(cell))
                    .await
                    .unwrap_or(End::Hit(Limit::Time)),
                // An order may be more than there is memory for.
                Err(error) => match cell.autopsy().await.hit {
                    Some(limit) => End::Hit(limit),
                    None => return Err(error),
                },
            }
        }
        Err(_) => End::Hit(Limit::Time),
    };
    let duration = begun.elapsed();
    let (ending, files) = match end {
        End::Answered => {
            cell.answered();
            let (ending, files) = run.answer(script);
            match ending {
                Ending::Error(error) => match run.cause(script, cell.autopsy().await) {
                    Some(limit) => (run.hit(limit), Vec::new()),
                    None => (Ending::Error(run.traced(script, error)), files),
                },
                _ => (ending, files),
            }
        }
        End::Hit(limit) => {
            let autopsy = cell.autopsy().await;
            (run.hit(blamed(limit, &autopsy)), Vec::new())
        }
        End::NotUnderstood(why) => {
            cell.autopsy().await;
            (Ending::Gone(why), Vec::new())
        }
        End::Closed => {
            let autopsy = cell.autopsy().await;
            (run.closed(script, autopsy), Vec::new())
        }
    };
    let mut report = Report {
        ending,
        stdout: run.stdout.printed(),
        stderr: run.stderr.printed(),
        files,
        duration,
    };
    if script.language == Language::Shell && matches!(report.ending, Ending::Result(Json::Null)) {
        report.ending = printed_result(&report.stdout);
    }
    Ok(report)
}

/// What a run out of time, or of computing, was really short of: a fork bomb, too, ends by these.
fn blamed(limit: Limit, autopsy: &Autopsy) -> Limit {
    match (limit, autopsy.hit) {
        (Limit::Time | Limit::Cpu, Some(hit)) => hit,
        _ => limit,
    }
}

/// A shell's result is what it prints.
fn printed_result(stdout: &str) -> Ending {
    if stdout.trim().is_empty() {
        return Ending::Result(Json::Null);
    }
    if let Err(why) = bounded(stdout.as_bytes()) {
        return Ending::Error(unreadable_result(&why));
    }
    match serde_json::from_str(stdout) {
        Ok(result) => Ending::Result(result),
        Err(error) => Ending::Error(ScriptError {
            kind: "result".to_owned(),
            message: format!(
                "what it prints is its result and is no JSON ({error}); print JSON, for text in quotes, \
                 and messages to standard error (>&2)"
            ),
            ..ScriptError::default()
        }),
    }
}

struct Run<'a> {
    stdout: Reader,
    stderr: Reader,
    limits: &'a Limits,
}

enum End {
    Answered,
    Hit(Limit),
    NotUnderstood(String),
    Closed,
}

impl Run<'_> {
    async fn until_its_end(&mut self, cell: &mut dyn Cell) -> End {
        loop {
            let taken = match cell.next().await {
                Event::Stdout(bytes) => self.stdout.take(&bytes, self.limits.output),
                Event::Stderr(bytes) => self.stderr.take(&bytes, self.limits.output),
                Event::Hit(limit) => return End::Hit(limit),
                Event::Closed if self.stdout.is_complete() => return End::Answered,
                Event::Closed => return End::Closed,
            };
            match taken {
                Err(Wrong::TooMuch) => return End::Hit(Limit::Output),
                Err(Wrong::NoLength) => {
                    return End::NotUnderstood(
                        "its answer cannot be read: it does not begin with its length".to_owned(),
                    );
                }
                Ok(()) if self.stdout.is_complete() && self.stderr.is_complete() => return End::Answered,
                Ok(()) => {}
            }
        }
    }

    fn answer(&self, script: &Script) -> (Ending, Vec<OutputFile>) {
        let unreadable = |why: String| (Ending::Error(unreadable_result(&why)), Vec::new());
        let answer = match Answer::read(self.stdout.answer().unwrap_or_default()) {
            Ok(answer) => answer,
            Err(why) => return unreadable(why),
        };
        let files = match answer.files(&script.output_files) {
            Ok(files) => files,
            Err(why) => return unreadable(why),
        };
        let ending = match (answer.limit, answer.error) {
            // What only we can know, no script tells us.
            (Some(limit @ (Limit::Memory | Limit::Processes)), _) => self.hit(limit),
            (_, Some(error)) => Ending::Error(error),
            (_, None) => Ending::Result(answer.result.unwrap_or_default()),
        };
        (ending, files)
    }

    /// The limit behind an error: the kernel may have ended a child of the script's, and the script then says something else;
    /// and a shell that can make no process says so, but has no word for it.
    fn cause(&self, script: &Script, autopsy: Autopsy) -> Option<Limit> {
        let is_shell = matches!(script.language, Language::Shell | Language::Scilab);
        match autopsy.hit {
            Some(Limit::Memory) => Some(Limit::Memory),
            _ if is_shell && NO_FORK.iter().any(|said| self.stderr.printed().contains(said)) => {
                Some(Limit::Processes)
            }
            _ => None,
        }
    }

    /// A shell's traceback is what it has said last, and where it names a line of the script, that is the line.
    fn traced(&self, script: &Script, mut error: ScriptError) -> ScriptError {
        if script.language != Language::Shell || !error.traceback.is_empty() {
            return error;
        }
        let said = self.stderr.printed();
        let lines: Vec<&str> = said.lines().collect();
        let name = script.name.rsplit('/').next().unwrap_or_default();
        let named = |line: &str| {
            let rest = line.strip_prefix(name)?.strip_prefix(": line ")?;
            rest.split(':').next()?.parse().ok()
        };
        error.line = error
            .line
            .or_else(|| lines.iter().rev().find_map(|line| named(line)));
        error.traceback = lines[lines.len().saturating_sub(SHELL_TRACEBACK)..].join("\n");
        error
    }

    fn hit(&self, limit: Limit) -> Ending {
        Ending::Limit(LimitHit {
            limit,
            said: self.limits.told(limit),
        })
    }

    fn closed(&self, script: &Script, autopsy: Autopsy) -> Ending {
        let is_node = script.language == Language::JavaScript;
        match autopsy {
            Autopsy { hit: Some(limit), .. } => self.hit(limit),
            // Node ends itself so where its own bound on the heap is below ours.
            _ if is_node && self.stderr.printed().contains("JavaScript heap out of memory") => {
                self.hit(Limit::Memory)
            }
            Autopsy {
                status: Some(status), ..
            } => Ending::Gone(format!("it ended without a result ({status})")),
            Autopsy { .. } => Ending::Gone("it ended without a result".to_owned()),
        }
    }
}

/// The script's own error: its result is none that can be passed on.
fn unreadable_result(why: &str) -> ScriptError {
    let message = if why.contains("recursion limit") {
        "the result is nested deeper than 128 levels".to_owned()
    } else {
        format!("the result cannot be read: {why}")
    };
    ScriptError {
        kind: "result".to_owned(),
        message,
        ..ScriptError::default()
    }
}
