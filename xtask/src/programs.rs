//! Runs the built test programs, several at a time: most of what they do is waiting. The output of each is printed whole when it
//! ends, that of those which failed once more at the end, and how long each took.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run;

/// Nothing takes so long; what does is ended, so that the others' results are seen.
const LONGEST: Duration = Duration::from_secs(25 * 60);
/// Begun first, the longest before the others, so that none of them runs on when all else is done.
const LONG: &[&str] = &[
    "crates/engine test database",
    "crates/engine test transaction",
];
/// Measure how quickly something is answered, and have the machine for themselves, after the others.
const ALONE: &[&str] = &[];
/// So many failed tests are run once more, alone: on a loaded machine a test may fail by its own impatience. Those that pass
/// then are named at the end, since each is a defect of the test, or of what it tests. More than these are no accident.
const SECOND_CHANCES: usize = 3;
/// Lines of a failed program's output that are printed again at the end.
const LAST_LINES: usize = 80;
/// Those that took less are not worth a line of the table, milliseconds.
const SHORT: f64 = 1.0;

/// How many at a time when nothing is said: they wait more than they compute.
pub(crate) fn at_a_time() -> usize {
    2 * std::thread::available_parallelism().map_or(2, usize::from)
}

/// A program to run.
struct Program {
    /// Package and target.
    name: String,
    executable: PathBuf,
    arguments: Vec<String>,
    directory: PathBuf,
    environment: Vec<(String, PathBuf)>,
}

impl Program {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(&self.arguments).current_dir(&self.directory);
        command.envs(self.environment.iter().cloned());
        command
    }
}

/// What came of it.
struct Done {
    name: String,
    seconds: f64,
    /// Processor time of it and of those of its children that it waited for.
    computed: f64,
    output: String,
    has_failed: bool,
    /// For another run of some of its tests.
    program: Program,
}

impl Done {
    /// The tests that failed, by what it printed. Empty too when it failed as a whole.
    fn failed_tests(&self) -> Vec<String> {
        let verdict = |line: &str| {
            let (test, verdict) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
            verdict.starts_with("FAILED").then(|| test.to_owned())
        };
        self.output.lines().filter_map(verdict).collect()
    }
}

/// Builds all test programs and runs them with these arguments.
pub(crate) fn run(
    arguments: &[String],
    jobs: usize,
    environment: &[(&str, PathBuf)],
) -> Result<()> {
    let mut programs = built()?;
    programs.push(of_documentation());
    for program in &mut programs {
        program.arguments.extend_from_slice(arguments);
        let environment = environment.iter();
        let named = environment.map(|(name, path)| ((*name).to_owned(), path.clone()));
        program.environment.extend(named);
    }
    let rank = |program: &Program| LONG.iter().position(|name| *name == program.name);
    programs.sort_by_key(|program| (rank(program).unwrap_or(LONG.len()), program.name.clone()));
    let (alone, together): (Vec<Program>, Vec<Program>) = programs
        .into_iter()
        .partition(|program| ALONE.contains(&program.name.as_str()));
    let logs = run::target_directory()?.join("tests");
    std::fs::create_dir_all(&logs)?;
    let mut done = all(together, jobs, &logs)?;
    done.extend(all(alone, 1, &logs)?);
    let unsteady = again(&mut done, &logs)?;
    told(&mut done, &unsteady)
}

/// Runs failed tests once more. Returns those that passed then; their programs have not failed any more.
fn again(done: &mut [Done], logs: &Path) -> Result<Vec<String>> {
    let failed: Vec<&mut Done> = done.iter_mut().filter(|one| one.has_failed).collect();
    let tests: usize = failed.iter().map(|one| one.failed_tests().len()).sum();
    if tests > SECOND_CHANCES {
        return Ok(Vec::new());
    }
    let mut unsteady = Vec::new();
    for former in failed {
        let tests = former.failed_tests();
        // It was ended, or the compiler failed: there is nothing to choose.
        if tests.is_empty() {
            continue;
        }
        eprintln!("\n     Once more: {}: {}", former.name, tests.join(", "));
        let mut arguments = former.program.arguments.clone();
        arguments.extend(tests.iter().cloned());
        arguments.push("--exact".to_owned());
        let program = Program {
            name: format!("{} again", former.name),
            arguments,
            executable: former.program.executable.clone(),
            directory: former.program.directory.clone(),
            environment: former.program.environment.clone(),
        };
        let second = one(program, logs)?;
        eprintln!("{}", second.output);
        // It must really have run them.
        let has_run = |test: &String| second.output.contains(&format!("test {test} ... ok"));
        if !second.has_failed && tests.iter().all(has_run) {
            former.has_failed = false;
            unsteady.extend(tests);
        }
    }
    Ok(unsteady)
}

/// The executables of the workspace's tests, with what cargo would run them with.
fn built() -> Result<Vec<Program>> {
    let arguments = [
        "test",
        "--workspace",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ];
    let messages = run::output(&mut run::cargo(arguments))?;
    let libraries = run::target_directory()?.join("debug/deps");
    let mut programs = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line)?;
        let is_test = message["profile"]["test"] == true;
        let Some(executable) = message["executable"].as_str().filter(|_| is_test) else {
            continue;
        };
        let manifest = message["manifest_path"].as_str().context("a manifest")?;
        let directory = Path::new(manifest).parent().context("a directory")?;
        let package = directory.strip_prefix(run::root()).unwrap_or(directory);
        let target = message["target"]["name"].as_str().context("a target")?;
        let kind = match message["target"]["kind"][0].as_str() {
            Some("test") => "test",
            Some("bin") => "program",
            _ => "library",
        };
        programs.push(Program {
            name: format!("{} {kind} {target}", package.display()),
            executable: executable.into(),
            arguments: Vec::new(),
            directory: directory.to_owned(),
            environment: vec![
                ("CARGO_MANIFEST_DIR".to_owned(), directory.to_owned()),
                ("LD_LIBRARY_PATH".to_owned(), libraries.clone()),
            ],
        });
    }
    if programs.is_empty() {
        bail!("cargo has built no tests");
    }
    Ok(programs)
}

fn of_documentation() -> Program {
    let cargo = run::cargo(["test", "--workspace", "--doc", "--no-fail-fast", "--"]);
    let arguments = cargo.get_args();
    Program {
        name: "examples in the documentation".to_owned(),
        executable: cargo.get_program().into(),
        arguments: arguments.map(|it| it.display().to_string()).collect(),
        directory: run::root().to_owned(),
        environment: Vec::new(),
    }
}

/// Runs all of these, so many at a time.
fn all(programs: Vec<Program>, jobs: usize, logs: &Path) -> Result<Vec<Done>> {
    let (left, done) = (Mutex::new(VecDeque::from(programs)), Mutex::new(Vec::new()));
    let next = || {
        left.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    let work = || -> Result<()> {
        while let Some(program) = next() {
            let one = one(program, logs)?;
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            // Under the lock, so that outputs do not mix.
            eprintln!(
                "     Ran {} in {:.1} s{}\n{}",
                one.name,
                one.seconds,
                if one.has_failed { ": FAILED" } else { "" },
                one.output
            );
            done.push(one);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .map_err(|_| anyhow::anyhow!("running a test panicked"))?
        })
    })?;
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn one(program: Program, logs: &Path) -> Result<Done> {
    let log = logs.join(format!("{}.log", program.name.replace(['/', ' '], "-")));
    let output = File::create(&log)?;
    let began = Instant::now();
    let mut child = program
        .command()
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        // So that all of it can be ended.
        .process_group(0)
        .spawn()
        .with_context(|| program.name.clone())?;
    let mut computed = 0.0;
    let mut is_too_long = false;
    let status = loop {
        computed = processor_seconds(child.id()).unwrap_or(computed);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > LONGEST && !is_too_long {
            is_too_long = true;
            let group = format!("-{}", child.id());
            Command::new("kill")
                .args(["-KILL", "--", &group])
                .status()?;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let mut output = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
    if !status.success() {
        output += &reason(status, is_too_long);
    }
    Ok(Done {
        name: program.name.clone(),
        seconds: began.elapsed().as_secs_f64(),
        computed,
        output,
        has_failed: !status.success(),
        program,
    })
}

fn reason(status: ExitStatus, is_too_long: bool) -> String {
    match is_too_long {
        true => format!("ended after {} s\n", LONGEST.as_secs()),
        false => format!("{status}\n"),
    }
}

/// Until now, from `/proc`; of a process that has ended and was not waited for, in all.
fn processor_seconds(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    // Of itself in user and kernel mode, and the same of children that were waited for.
    let ticks: f64 = fields
        .split(' ')
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    Some(ticks / 100.0)
}

/// Prints the end of what failed, and a table of what took how long.
fn told(done: &mut [Done], unsteady: &[String]) -> Result<()> {
    for one in done.iter().filter(|one| one.has_failed) {
        let lines: Vec<&str> = one.output.lines().collect();
        let from = lines.len().saturating_sub(LAST_LINES);
        eprintln!(
            "\n     The end of {}, which FAILED:\n{}",
            one.name,
            lines[from..].join("\n")
        );
    }
    done.sort_by(|one, two| two.seconds.total_cmp(&one.seconds));
    eprintln!("\n seconds  computed");
    for one in done
        .iter()
        .filter(|one| one.seconds >= SHORT || one.has_failed)
    {
        let verdict = if one.has_failed { "  FAILED" } else { "" };
        eprintln!(
            "{:>8.1}  {:>8.1}  {}{verdict}",
            one.seconds, one.computed, one.name
        );
    }
    for test in unsteady {
        eprintln!("UNSTEADY: {test} failed beside the others and passed alone; find out why");
    }
    let failed: Vec<&str> = done
        .iter()
        .filter(|one| one.has_failed)
        .map(|one| one.name.as_str())
        .collect();
    match failed.is_empty() {
        true => Ok(()),
        false => bail!("failed: {}", failed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program whose tests `a` and `b` fail, `a` only once.
    fn failed(tests: &str, directory: &Path) -> Done {
        let script = r#"
            for test in "$@"; do
                case $test in
                    a) if [ -e seen ]; then echo "test a ... ok"; else touch seen; echo "test a ... FAILED"; bad=1; fi;;
                    b) echo "test b ... FAILED (0.1 s)"; bad=1;;
                esac
            done
            exit $bad"#;
        let arguments = ["-c", script, "tests"].into_iter().chain(tests.split(' '));
        let program = Program {
            name: "some tests".to_owned(),
            executable: "/bin/sh".into(),
            arguments: arguments.map(str::to_owned).collect(),
            directory: directory.to_owned(),
            environment: Vec::new(),
        };
        let mut done = one(program, directory).unwrap();
        // The second run is to have only the tests that it is given.
        done.program.arguments.truncate(3);
        done
    }

    #[test]
    fn what_passes_alone_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let mut done = [failed("a", directory.path())];
        assert!(done[0].has_failed);
        assert_eq!(again(&mut done, directory.path()).unwrap(), ["a"]);
        assert!(!done[0].has_failed);
    }

    #[test]
    fn what_fails_twice_has_failed() {
        let directory = tempfile::tempdir().unwrap();
        let mut done = [failed("a b", directory.path())];
        assert!(again(&mut done, directory.path()).unwrap().is_empty());
        assert!(done[0].has_failed);
    }

    #[test]
    fn many_failures_are_no_accident() {
        let directory = tempfile::tempdir().unwrap();
        let mut done = [failed("b b b a", directory.path())];
        assert!(again(&mut done, directory.path()).unwrap().is_empty());
        assert!(done[0].has_failed);
    }
}
