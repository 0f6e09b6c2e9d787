//! What a rehearsal finds out, and what follows from it for the update.

use std::io::{BufRead, BufReader, Write};

use anyhow::{Context, Result, ensure};
use obnova_engine::api::{
    Answer, ForecastTraffic, Isolation, Outcome, RehearsalOutcome, Request, StepStatus,
    TrafficMode, TrafficOrder, TrafficReport,
};
use obnova_testkit::cases::Case;

use crate::fixture::{Release, Try, release};
use crate::stage::{NEWEST, User, code, log, offer, rehearse_to, started};

/// The cases.
pub const CASES: &[Case] = &[
    ("what_passes_is_installed_as_foretold", passes),
    (
        "a_forecast_that_is_too_long_shows_the_maintenance_page",
        too_long,
    ),
    (
        "a_migration_that_fails_fails_the_rehearsal",
        failing_migration,
    ),
    (
        "a_version_that_is_not_healthy_fails_the_rehearsal",
        unhealthy,
    ),
    (
        "a_failed_rehearsal_disables_installing_unless_somebody_insists",
        disables,
    ),
    ("a_way_back_that_does_not_lead_back_is_found", differs),
    (
        "the_installed_versions_command_neutralises_the_clone_before_all_else",
        neutralised,
    ),
    (
        "the_new_versions_command_neutralises_the_clone_where_the_installed_one_has_none",
        neutralised_by_the_new_one,
    ),
    ("the_clone_gets_no_secret_that_is_withheld", withheld),
];

fn passes() -> Result<String> {
    let it = started(&NEWEST)?;
    let before = it.now()?;
    let user = User::of(&it)?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    let served = user.served()?;
    before
        .expect_same(&it.now()?)
        .context("production was touched")?;
    ensure!(rehearsal.isolation == Isolation::Network, "{rehearsal:?}");
    let open = rehearsal
        .steps
        .iter()
        .find(|step| step.status != StepStatus::Done || step.took_ms.is_none());
    ensure!(open.is_none(), "{open:?}");
    ensure!(log(&it, "2.0.0")?.len() > 10, "the log says nothing");
    let offer = offer(&it)?;
    ensure!(offer.obstacles.is_empty(), "{:?}", offer.obstacles);
    ensure!(offer.download_bytes == 0, "it would be downloaded again");
    let shown = offer.rehearsal.context("the offer says nothing of it")?;
    ensure!(shown.expired.is_none(), "{shown:?}");
    let forecast = shown.forecast.context("no forecast")?;
    ensure!(forecast.traffic == ForecastTraffic::Hold, "{forecast:?}");
    let update = it.update("2.0.0")?;
    ensure!(update.outcome == Outcome::Completed, "{update:?}");
    ensure!(
        update.forecast.as_ref() == Some(&forecast),
        "it is not remembered"
    );
    let actual = update.blackout_ms.context("no blackout")?;
    it.end()?;
    Ok(format!(
        "foretold {} to {} ms, was {actual} ms; way back {} ms; {served}",
        forecast.blackout_min_ms, forecast.blackout_max_ms, forecast.way_back_ms
    ))
}

fn too_long() -> Result<String> {
    let it = started(&release("2.0.0", 2, &["--slow", "1500"], &[]))?;
    let Answer::Settings(mut settings) = it.ask(&Request::Settings)? else {
        anyhow::bail!("no settings");
    };
    settings.hold.seconds = 1;
    it.ask(&Request::Configure(settings))?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    let forecast = rehearsal.forecast.context("no forecast")?;
    ensure!(
        forecast.traffic == ForecastTraffic::MaintenancePage,
        "{forecast:?}"
    );
    let Answer::Plan(plan) = it.ask(&Request::Plan { version: None })? else {
        anyhow::bail!("no plan");
    };
    let hold = plan.steps.iter().find(|step| step.step == "hold");
    let hold = hold.context("no step hold")?;
    ensure!(hold.detail.contains("maintenance page"), "{}", hold.detail);
    let front = Front::connect(&it)?;
    let update = it.update("2.0.0")?;
    ensure!(update.outcome == Outcome::Completed, "{update:?}");
    it.end()?;
    let orders = front.orders()?;
    let page = |order: &TrafficOrder| match &order.mode {
        TrafficMode::Hold { limits, to } => to.is_some() && limits.seconds == 0,
        TrafficMode::Pass { .. } => false,
    };
    ensure!(orders.iter().any(page), "{orders:?}");
    Ok(format!("at most {} ms", forecast.blackout_max_ms))
}

/// A front that does as it is told at once, and remembers it.
struct Front(std::thread::JoinHandle<Result<Vec<TrafficOrder>>>);

impl Front {
    fn connect(it: &Try) -> Result<Front> {
        let path = it.state_dir().join(obnova_engine::api::SOCKET_NAME);
        let mut stream = std::os::unix::net::UnixStream::connect(path)?;
        writeln!(stream, "{}", serde_json::to_string(&Request::Traffic)?)?;
        let lines = BufReader::new(stream.try_clone()?).lines();
        Ok(Front(std::thread::spawn(move || {
            let mut orders: Vec<TrafficOrder> = Vec::new();
            for line in lines {
                let Ok(line) = line else { break };
                let order: TrafficOrder = serde_json::from_str(&line)?;
                let report = TrafficReport {
                    sequence: order.sequence,
                    in_flight: 0,
                    held: 0,
                    drain_ms: None,
                };
                orders.push(order);
                if writeln!(stream, "{}", serde_json::to_string(&report)?).is_err() {
                    break;
                }
            }
            Ok(orders)
        })))
    }

    fn orders(self) -> Result<Vec<TrafficOrder>> {
        self.0.join().map_err(|_| anyhow::anyhow!("a panic"))?
    }
}

/// Rehearses a version that must fail, for this reason; production stays what it was.
fn fails(it: &Try, version: &str, reason: &str) -> Result<()> {
    let before = it.now()?;
    let user = User::of(it)?;
    let rehearsal = rehearse_to(it, version, RehearsalOutcome::Failed)?;
    user.served()?;
    before
        .expect_same(&it.now()?)
        .context("production was touched")?;
    ensure!(code(&rehearsal) == reason, "{:?}", rehearsal.problem);
    ensure!(rehearsal.forecast.is_none(), "it foretells something");
    let step = |name: &str| rehearsal.steps.iter().find(|step| step.step == name);
    let compared = step("compare").context("no comparison")?;
    ensure!(
        compared.status == StepStatus::Done,
        "the way back was not tried"
    );
    ensure!(
        rehearsal.steps.iter().any(|step| step.failed),
        "no step failed"
    );
    Ok(())
}

fn failing_migration() -> Result<String> {
    let it = started(&NEWEST)?;
    fails(&it, "1.2.0", "migration-failed")?;
    ensure!(
        log(&it, "1.2.0")?.join("\n").contains("fails as asked"),
        "the log does not quote the migration"
    );
    it.end()?;
    Ok("migration-failed".to_owned())
}

fn unhealthy() -> Result<String> {
    let it = started(&NEWEST)?;
    fails(&it, "1.3.0", "unhealthy")?;
    fails(&it, "1.4.0", "start-failed")?;
    it.end()?;
    Ok("unhealthy, start-failed".to_owned())
}

fn disables() -> Result<String> {
    let it = started(&release("2.0.0", 3, &["--fail-at", "3"], &[]))?;
    fails(&it, "2.0.0", "migration-failed")?;
    let offer = offer(&it)?;
    let codes = |offer: &obnova_engine::api::Offer| -> Vec<String> {
        let codes = offer.obstacles.iter().map(|it| it.code.clone());
        codes.collect()
    };
    ensure!(
        codes(&offer) == ["rehearsal-failed"],
        "{:?}",
        offer.obstacles
    );
    let why = offer.obstacles[0].detail.clone().unwrap_or_default();
    ensure!(why.contains("migration-failed"), "{why}");
    ensure!(offer.may_insist, "an administrator may insist");
    let refused = it.ask(&Request::Install {
        version: None,
        actor: "test".to_owned(),
        insist: false,
    });
    ensure!(
        refused.is_err_and(|error| error.to_string().contains("rehearsal-failed")),
        "it was not refused"
    );
    let update = it.update("2.0.0")?;
    ensure!(update.outcome == Outcome::RolledBack, "{update:?}");
    // Both reasons, and still somebody may insist.
    let offer = crate::stage::offer(&it)?;
    ensure!(offer.may_insist && offer.obstacles.len() == 2, "{offer:?}");
    let update = it.update("2.0.0")?;
    ensure!(update.outcome == Outcome::RolledBack, "{update:?}");
    it.end()?;
    Ok("refused, insisted on twice, undone twice".to_owned())
}

fn differs() -> Result<String> {
    // A migration that corrects a file wherever it finds it, in what was put in a safe place too, and leaves a helper running that
    // hides from whoever looks for it.
    let correct = "env -i /usr/bin/setsid /bin/sh -c 'sleep 600; exit' \"$8\" </dev/null >/dev/null 2>&1 & \
                   find \"$8/../../..\" -name first.txt | while read -r file; do echo more >> \"$file\"; done; \
                   exec \"$@\"";
    let it = started(&Release {
        shell: Some(correct),
        ..NEWEST
    })?;
    let before = it.now()?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::Failed)?;
    ensure!(code(&rehearsal) == "rehearsal-differs", "{rehearsal:#?}");
    let detail = rehearsal.problem.and_then(|problem| problem.detail);
    let detail = detail.unwrap_or_default();
    ensure!(detail.contains("letters/first.txt"), "{detail}");
    before.expect_same(&it.now()?)?;
    it.end()?;
    Ok("the file is named, and the helper has ended".to_owned())
}

fn neutralised() -> Result<String> {
    let mute = "neutralise = [\"/bin/sh\", \"-c\", \"echo muted; echo off > ${data}/mail.txt\"]";
    let it = started(&Release {
        server: mute,
        ..NEWEST
    })?;
    it.update("2.0.0")?;
    let tell = "echo \"mail is $(cat \"$8/mail.txt\")\"; exec \"$@\"";
    it.publish(&Release {
        shell: Some(tell),
        ..release("3.0.0", 3, &[], &[])
    })?;
    it.check()?;
    let before = it.now()?;
    rehearse_to(&it, "3.0.0", RehearsalOutcome::Passed)?;
    before.expect_same(&it.now()?)?;
    let said = log(&it, "3.0.0")?.join("\n");
    ensure!(said.contains("neutralised by 2.0.0: muted"), "{said}");
    ensure!(said.contains("mail is off"), "{said}");
    it.end()?;
    Ok("muted".to_owned())
}

fn neutralised_by_the_new_one() -> Result<String> {
    let mute = "neutralise = [\"/bin/sh\", \"-c\", \"echo muted; echo off > ${data}/mail.txt\"]";
    let tell =
        "echo \"mail is $(cat \"$8/mail.txt\"), open to $(stat -c %a \"$8/..\")\"; exec \"$@\"";
    let it = started(&Release {
        server: mute,
        shell: Some(tell),
        ..NEWEST
    })?;
    let before = it.now()?;
    rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    before.expect_same(&it.now()?)?;
    let said = log(&it, "2.0.0")?.join("\n");
    ensure!(said.contains("neutralised by 2.0.0: muted"), "{said}");
    ensure!(said.contains("mail is off, open to 700"), "{said}");
    it.end()?;
    Ok("muted by the new version".to_owned())
}

fn withheld() -> Result<String> {
    let mut it = Try::new()?;
    let file = it.state_dir().join("installation.toml");
    let text = std::fs::read_to_string(&file)?;
    let more = "[service.env]\nMAIL_KEY = \"very-secret\"\nWORDS = \"not-a-key\"\n\
                [rehearsal]\nwithhold = [\"MAIL_KEY\"]\nenv = { MODE = \"copy\" }\n";
    std::fs::write(&file, format!("{text}{more}"))?;
    let tell = "[ -z \"$MAIL_KEY\" ] && key=withheld; [ -n \"$WORDS\" ] && words=there; \
                [ \"$MODE\" = copy ] && mode=right; echo \"key $key, words $words, mode $mode, home $HOME\"; exec \"$@\"";
    it.publish(&Release {
        shell: Some(tell),
        ..NEWEST
    })?;
    it.start(None)?;
    it.check()?;
    rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    let said = log(&it, "2.0.0")?.join("\n");
    ensure!(
        said.contains("key withheld, words there, mode right"),
        "{said}"
    );
    ensure!(said.contains("rehearsal/home"), "{said}");
    it.end()?;
    Ok("withheld".to_owned())
}
