//! The program that tests on Windows publish as a Desktop, where there is no `sh` to run the scripts of the others. It does what the
//! file beside it says, in the few words that the tests use.

use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("self-check") {
        let unfit = std::env::var("OBNOVA_TEST_UNFIT").is_ok_and(|it| std::fs::exists(it).unwrap());
        return ExitCode::from(u8::from(unfit));
    }
    println!("{}", std::env::var("OBNOVA_DESKTOP_VERSION").unwrap());
    let script = std::env::current_exe().unwrap().with_extension("txt");
    let script = std::fs::read_to_string(script).unwrap();
    let mut status = 0;
    for statement in script.lines().flat_map(|line| line.split(';')) {
        let mut words = words(statement);
        // The last one decides how this ends; being another program instead is not possible here.
        if words.first().is_some_and(|word| word == "exec") {
            words.remove(0);
        }
        match do_one(words) {
            Done::Went(code) => status = code,
            Done::End(code) => return ExitCode::from(code),
        }
    }
    ExitCode::from(status)
}

enum Done {
    Went(u8),
    End(u8),
}

fn do_one(mut words: Vec<String>) -> Done {
    let output = words.iter().position(|word| word.starts_with('>'));
    let output: String = match output {
        Some(place) => words.drain(place..).collect(),
        None => String::new(),
    };
    let output = output.trim_start_matches('>');
    let Some(program) = words.first() else {
        return Done::Went(0);
    };
    match program.as_str() {
        comment if comment.starts_with('#') => {}
        ":" => std::fs::write(output, "").unwrap(),
        "exit" => return Done::End(words[1].parse().unwrap()),
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_secs(words[1].parse().unwrap()));
        }
        "cat" => drop(std::io::copy(&mut std::io::stdin(), &mut std::io::sink())),
        program => {
            let mut command = Command::new(program);
            command.args(&words[1..]);
            if output == "/dev/null" {
                command.stdout(Stdio::null());
            }
            let code = command.status().unwrap().code().unwrap();
            return Done::Went(u8::try_from(code).unwrap_or(1));
        }
    }
    Done::Went(0)
}

/// Words as a shell makes them: quotes of both kinds, and variables where they are not in single ones.
fn words(statement: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (vec![], String::new(), None);
    let mut begun = false;
    for character in statement.trim().chars() {
        match (character, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => (quote, begun) = (Some(character), true),
            (c, None) if c.is_whitespace() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (c, _) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    let value = |word: String| match word.split_once('$') {
        Some((before, name)) => format!("{before}{}", std::env::var(name).unwrap()),
        None => word,
    };
    words.into_iter().map(value).collect()
}
