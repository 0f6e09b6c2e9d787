//! The result for people.

use super::{Measured, Repetition, With};

const MIB: f64 = 1_048_576.0;

pub(crate) fn print(measured: &Measured) {
    println!(
        "{} Desktops at once; a Desktop of {:.0} MiB in {} files",
        measured.desktops,
        measured.bytes as f64 / MIB,
        measured.files
    );
    for (number, it) in measured.repetitions.iter().enumerate() {
        println!("\nrepetition {}", number + 1);
        println!("{:<44} {:>14} {:>14} {:>8}", "", "centre", "nginx", "ratio");
        repetition(it);
    }
    let least = measured.memory.iter().map(|(_, bytes)| *bytes).min();
    let most = measured.memory.iter().map(|(_, bytes)| *bytes).max();
    println!(
        "\nthe centre's memory over the whole run: {:.1} to {:.1} MiB",
        least.unwrap_or(0) as f64 / MIB,
        most.unwrap_or(0) as f64 / MIB
    );
}

fn repetition(it: &Repetition) {
    let (centre, nginx) = (&it.centre, &it.nginx);
    let (one, two) = (&centre.asked.measured, &nginx.asked.measured);
    line(
        "asking: answers a second",
        one.requests_per_second,
        two.requests_per_second,
    );
    line("  p50, ms", one.times.p50, two.times.p50);
    line("  p99, ms", one.times.p99, two.times.p99);
    line(
        "  all had their first answers, s",
        one.all_answered_seconds,
        two.all_answered_seconds,
    );
    line("  failed", one.failed as f64, two.failed as f64);
    machine(&centre.asked, &nginx.asked);
    let (one, two) = (&centre.downloaded.measured, &nginx.downloaded.measured);
    line(
        "downloading: MiB a second",
        one.bytes_per_second / MIB,
        two.bytes_per_second / MIB,
    );
    line(
        "  files a second",
        one.files_per_second,
        two.files_per_second,
    );
    line(
        "  small files p50, ms",
        one.small_times.p50,
        two.small_times.p50,
    );
    line(
        "  small files p99, ms",
        one.small_times.p99,
        two.small_times.p99,
    );
    line("  cut, and gone on", one.cut as f64, two.cut as f64);
    line("  put off", one.put_off as f64, two.put_off as f64);
    line(
        "  Desktops without a byte",
        one.without_a_byte as f64,
        two.without_a_byte as f64,
    );
    line("  files verified", one.verified as f64, two.verified as f64);
    machine(&centre.downloaded, &nginx.downloaded);
    let (one, two) = (&centre.slow.measured, &nginx.slow.measured);
    line(
        "slow readers who read",
        one.readers as f64,
        two.readers as f64,
    );
    line(
        "  the quick one alone, s",
        one.alone_seconds,
        two.alone_seconds,
    );
    line("  among them, s", one.among_seconds, two.among_seconds);
    line(
        "  its longest wait for an answer, s",
        one.longest_wait_seconds,
        two.longest_wait_seconds,
    );
    machine(&centre.slow, &nginx.slow);
    let reported = &it.reported.measured;
    alone("reports a second, each new", reported.new_per_second);
    alone("  all heard, s", reported.all_heard_seconds);
    alone("  p50, ms", reported.new_times.p50);
    alone("  p99, ms", reported.new_times.p99);
    alone("reports a second, known", reported.known_per_second);
    alone("  p50, ms", reported.known_times.p50);
    alone("  p99, ms", reported.known_times.p99);
    alone("  put off", reported.put_off as f64);
    let memory = it.reported.memory;
    for (what, bytes) in [
        ("start", memory.start),
        ("peak", memory.peak),
        ("end", memory.end),
    ] {
        alone(&format!("  memory, {what}, MiB"), bytes as f64 / MIB);
    }
}

fn machine<T>(centre: &With<T>, nginx: &With<T>) {
    line(
        "  processor, s",
        centre.computed_seconds,
        nginx.computed_seconds,
    );
    let (one, two) = (centre.memory, nginx.memory);
    for (what, one, two) in [
        ("start", one.start, two.start),
        ("peak", one.peak, two.peak),
        ("end", one.end, two.end),
    ] {
        line(
            &format!("  memory, {what}, MiB"),
            one as f64 / MIB,
            two as f64 / MIB,
        );
    }
}

fn line(what: &str, centre: f64, nginx: f64) {
    println!(
        "{what:<44} {centre:>14.2} {nginx:>14.2} {:>8.2}",
        centre / nginx
    );
}

fn alone(what: &str, centre: f64) {
    println!("{what:<44} {centre:>14.2}");
}
