use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use obnova_engine::api::{
    Event, EventKind, Isolation, Outcome, Problem, Rehearsal, RehearsalOutcome, UpdateId,
    UpdateKind, UpdateSummary,
};
use obnova_engine::problem;
use obnova_text::Lang;
use semver::Version;

use super::announce::{announce, announce_rehearsal};
use super::*;
use crate::store::outbox::{MailFilter, MailSummary};
use crate::store::users::UserData;

/// A centre's store with a few people, in a directory of its own.
pub(crate) struct Company {
    pub(crate) store: Store,
    pub(crate) dir: tempfile::TempDir,
    next_event: u64,
}

impl Company {
    /// Alena (cs) administers, Bob (en) and Šimon (cs) work there, a service account does too, and Eva has left.
    pub(crate) async fn found() -> Company {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        store.set_product_name("Kontakty").await.unwrap();
        let mut company = Company {
            store,
            dir,
            next_event: 1,
        };
        let store = &company.store;
        let alena = person("Alena Nováková", "alena@example.com", Lang::Cs);
        store
            .add_first_administrator(&alena, "hash")
            .await
            .unwrap()
            .unwrap();
        company.hire("Bob Brown", "bob@example.com", Lang::En).await;
        company
            .hire("Šimon Žďárský", "simon@example.com", Lang::Cs)
            .await;
        let robot = company.hire("Robot", "robot@example.com", Lang::En).await;
        let eva = company.hire("Eva Malá", "eva@example.com", Lang::Cs).await;
        let groups = company.store.groups().await.unwrap();
        let system = groups.iter().find(|g| g.identifier == "System").unwrap().id;
        company.store.set_groups_of(robot, &[system]).await.unwrap();
        company.store.set_user_active(eva, false).await.unwrap();
        company
    }

    pub(crate) async fn hire(&mut self, name: &str, email: &str, language: Lang) -> i64 {
        self.store
            .add_user(&person(name, email, language))
            .await
            .unwrap()
    }

    /// The next event of the engine's journal.
    pub(crate) fn event(&mut self, update: UpdateId, kind: EventKind) -> Event {
        let number = self.next_event;
        self.next_event += 1;
        Event {
            number,
            at: Timestamp::now(),
            update,
            kind,
        }
    }

    async fn happens(&mut self, update: UpdateId, kind: EventKind) -> u64 {
        let event = self.event(update, kind);
        announce(&self.store, &event).await.unwrap()
    }

    /// All mails, oldest first.
    pub(crate) async fn mails(&self) -> Vec<MailSummary> {
        let filter = MailFilter {
            limit: 100_000,
            ..MailFilter::default()
        };
        let mut mails = self.store.mails(&filter).await.unwrap().items;
        mails.reverse();
        mails
    }

    /// Who got which kind of mail, sorted.
    async fn told(&self) -> Vec<String> {
        let mut told: Vec<String> = self
            .mails()
            .await
            .iter()
            .map(|mail| format!("{} {}", mail.kind, mail.recipient))
            .collect();
        told.sort();
        told
    }
}

fn person(name: &str, email: &str, language: Lang) -> UserData {
    UserData {
        name: name.to_owned(),
        email: email.to_owned(),
        language,
    }
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

pub(crate) fn started(from: &str, to: &str, then: &[&str], hop: u32) -> EventKind {
    EventKind::UpdateStarted {
        from: version(from),
        to: version(to),
        then: then.iter().map(|text| version(text)).collect(),
        hop,
        actor: "Alena <b>Nováková</b>".to_owned(),
        kind: Default::default(),
        forecast: None,
    }
}

/// The way back from update 1.
fn reverting(from: &str, to: &str) -> EventKind {
    EventKind::UpdateStarted {
        from: version(from),
        to: version(to),
        then: vec![],
        hop: 1,
        actor: "Alena <b>Nováková</b>".to_owned(),
        kind: UpdateKind::Revert { of: 1 },
        forecast: None,
    }
}

/// A rehearsal that began by itself and failed.
fn failed_rehearsal() -> Rehearsal {
    Rehearsal {
        version: version("1.2.0"),
        from: version("1.1.0"),
        started: Timestamp::now(),
        finished: Timestamp::now(),
        actor: "obnova".to_owned(),
        outcome: RehearsalOutcome::Failed,
        steps: vec![],
        problem: Some(
            Problem::new(problem::MIGRATION_FAILED)
                .arg("version", "1.2.0")
                .arg("status", "1")
                .detail("UNIQUE constraint failed: simon@example.com"),
        ),
        forecast: None,
        isolation: Isolation::Network,
        data_bytes: 1,
        expired: None,
        walk: vec![],
        failed: None,
    }
}

pub(crate) fn announced() -> EventKind {
    EventKind::StepStarted {
        step: "announce".to_owned(),
    }
}

pub(crate) fn completed() -> EventKind {
    EventKind::Completed { blackout_ms: 1_500 }
}

fn rolled_back() -> EventKind {
    EventKind::RolledBack {
        problem: Problem::new(problem::MIGRATION_FAILED)
            .arg("version", "1.2.0")
            .arg("status", "1")
            .detail("UNIQUE constraint failed: simon@example.com"),
        blackout_ms: 900,
    }
}

#[tokio::test]
async fn each_state_is_announced_once_to_each_person() {
    let mut company = Company::found().await;
    company.happens(1, started("1.0.0", "1.1.0", &[], 1)).await;
    company.happens(1, announced()).await;
    company.happens(1, completed()).await;
    assert_eq!(
        company.told().await,
        [
            "update_completed_everyone bob@example.com",
            "update_completed_everyone simon@example.com",
            "update_completed_group alena@example.com",
            "update_started_everyone bob@example.com",
            "update_started_everyone simon@example.com",
            "update_started_group alena@example.com",
        ]
    );
}

#[tokio::test]
async fn a_way_back_is_announced_as_one_and_not_as_an_update() {
    let mut company = Company::found().await;
    company.happens(2, reverting("1.1.0", "1.0.0")).await;
    company.happens(2, announced()).await;
    company.happens(2, completed()).await;
    assert_eq!(
        company.told().await,
        [
            "revert_completed_everyone bob@example.com",
            "revert_completed_everyone simon@example.com",
            "revert_completed_group alena@example.com",
            "revert_started_everyone bob@example.com",
            "revert_started_everyone simon@example.com",
            "revert_started_group alena@example.com",
        ]
    );
    for mail in company.mails().await {
        let text = company.store.mail(mail.id).await.unwrap().unwrap().text;
        for word in ["updated", "aktualiz"] {
            assert!(
                !text.contains(word) && !mail.subject.contains(word),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn a_rehearsal_that_failed_by_itself_is_told_to_the_groups_once() {
    let company = Company::found().await;
    let rehearsal = failed_rehearsal();
    assert_eq!(
        announce_rehearsal(&company.store, &rehearsal)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        announce_rehearsal(&company.store, &rehearsal)
            .await
            .unwrap(),
        0
    );
    // A centre that is started again knows it too.
    let again = Store::open(company.dir.path()).await.unwrap();
    assert_eq!(announce_rehearsal(&again, &rehearsal).await.unwrap(), 0);
    assert_eq!(
        company.told().await,
        ["rehearsal_failed_group alena@example.com"]
    );
    let mail = company.mails().await.remove(0);
    let mail = company.store.mail(mail.id).await.unwrap().unwrap();
    assert!(
        !mail.text.contains("UNIQUE"),
        "what the machine said is in a mail"
    );
    let mut next = failed_rehearsal();
    next.finished += Duration::from_secs(60);
    assert_eq!(announce_rehearsal(&company.store, &next).await.unwrap(), 1);
}

#[tokio::test]
async fn everyone_reads_it_in_their_own_language() {
    let mut company = Company::found().await;
    company.happens(1, started("1.0.0", "1.1.0", &[], 1)).await;
    company.happens(1, announced()).await;
    for mail in company.mails().await {
        let czech = mail.recipient != "bob@example.com";
        assert_eq!(mail.language, if czech { Lang::Cs } else { Lang::En });
        assert_eq!(mail.subject.contains("aktualiz"), czech, "{}", mail.subject);
    }
}

#[tokio::test]
async fn a_repeated_event_changes_nothing() {
    let mut company = Company::found().await;
    let events = [
        company.event(1, started("1.0.0", "1.1.0", &[], 1)),
        company.event(1, announced()),
        company.event(1, completed()),
    ];
    for event in &events {
        announce(&company.store, event).await.unwrap();
    }
    let told = company.told().await;
    for event in events.iter().chain(&events) {
        assert_eq!(announce(&company.store, event).await.unwrap(), 0);
    }
    assert_eq!(company.told().await, told);
}

#[tokio::test]
async fn of_several_hops_only_the_first_start_and_the_last_end_are_announced() {
    let mut company = Company::found().await;
    company
        .happens(4, started("1.0.0", "1.1.0", &["1.2.0"], 1))
        .await;
    company.happens(4, announced()).await;
    let after_start = company.told().await.len();
    assert_eq!(company.happens(4, completed()).await, 0);
    assert_eq!(
        company.happens(5, started("1.1.0", "1.2.0", &[], 2)).await,
        0
    );
    assert_eq!(company.happens(5, announced()).await, 0);
    assert_eq!(company.happens(5, completed()).await, 3);
    let mails = company.mails().await;
    assert_eq!(mails.len(), after_start + 3);
    let last = company.store.mail(mails.last().unwrap().id).await.unwrap();
    let text = last.unwrap().text;
    assert!(text.contains("1.0.0") && text.contains("1.2.0"), "{text}");
}

#[tokio::test]
async fn a_failed_update_is_explained_to_the_group_and_in_short_to_everyone_who_was_told_of_it() {
    let mut company = Company::found().await;
    company.happens(1, started("1.1.0", "1.2.0", &[], 1)).await;
    company.happens(1, announced()).await;
    assert_eq!(company.happens(1, rolled_back()).await, 3);
    let told = company.told().await;
    assert!(told.contains(&"update_failed_group alena@example.com".to_owned()));
    assert!(told.contains(&"update_undone_everyone bob@example.com".to_owned()));
    for summary in company.mails().await {
        let mail = company.store.mail(summary.id).await.unwrap().unwrap();
        assert!(
            !mail.text.contains("UNIQUE") && !mail.html.contains("UNIQUE"),
            "what the machine said is in a mail"
        );
    }
}

#[tokio::test]
async fn nobody_but_the_group_hears_of_an_update_that_failed_before_it_was_announced() {
    let mut company = Company::found().await;
    company.happens(1, started("1.1.0", "1.2.0", &[], 1)).await;
    assert_eq!(company.happens(1, rolled_back()).await, 1);
}

#[tokio::test]
async fn a_click_that_fails_at_its_second_stop_says_what_stays_installed() {
    let mut company = Company::found().await;
    company
        .happens(1, started("1.0.0", "1.1.0", &["1.2.0"], 1))
        .await;
    company.happens(1, announced()).await;
    company.happens(1, completed()).await;
    company.happens(2, started("1.1.0", "1.2.0", &[], 2)).await;
    assert_eq!(company.happens(2, rolled_back()).await, 3);
    let mails = company.mails().await;
    let bobs = mails.iter().rfind(|m| m.recipient == "bob@example.com");
    let bobs = company.store.mail(bobs.unwrap().id).await.unwrap().unwrap();
    assert!(
        bobs.text
            .contains("from version 1.0.0 to version 1.1.0 only"),
        "{}",
        bobs.text
    );
}

#[tokio::test]
async fn the_groups_of_the_setting_are_told_whatever_the_case_of_their_names() {
    let mut company = Company::found().await;
    let it = company.store.add_group("IT oddělení").await.unwrap();
    let bob = company
        .store
        .user_by_email("BOB@example.com")
        .await
        .unwrap();
    let bob = bob.unwrap().0.id;
    company.store.set_groups_of(bob, &[it]).await.unwrap();
    let mut settings = company.store.settings().await.unwrap();
    settings.notify_groups = vec!["it ODDĚLENÍ".to_owned(), "No such group".to_owned()];
    company.store.save_settings(&settings).await.unwrap();
    company.happens(1, started("1.0.0", "1.1.0", &[], 1)).await;
    assert_eq!(
        company.told().await,
        ["update_started_group bob@example.com"]
    );
}

#[tokio::test]
async fn everyone_can_be_a_group_of_the_setting() {
    let mut company = Company::found().await;
    let mut settings = company.store.settings().await.unwrap();
    settings.notify_groups = vec!["Everyone".to_owned()];
    company.store.save_settings(&settings).await.unwrap();
    assert_eq!(
        company.happens(1, started("1.0.0", "1.1.0", &[], 1)).await,
        3
    );
    assert_eq!(company.happens(1, announced()).await, 0);
}

#[tokio::test]
async fn a_new_journal_is_told_apart_from_the_one_before() {
    let mut company = Company::found().await;
    company.happens(1, started("1.0.0", "1.1.0", &[], 1)).await;
    company.store.begin_journal(0).await.unwrap();
    company.next_event = 1;
    assert_eq!(
        company.happens(1, started("1.0.0", "1.1.0", &[], 1)).await,
        1
    );
}

/// All kinds of mail, with this address of the centre.
async fn all_mails(public_url: &str) -> Vec<(MailSummary, String, String)> {
    let mut company = Company::found().await;
    let mut settings = company.store.settings().await.unwrap();
    settings.public_url = public_url.to_owned();
    company.store.save_settings(&settings).await.unwrap();
    company
        .happens(1, started("1.0.0", "1.1.0", &["1.2.0"], 1))
        .await;
    company.happens(1, announced()).await;
    company.happens(1, completed()).await;
    company.happens(2, started("1.1.0", "1.2.0", &[], 2)).await;
    company.happens(2, completed()).await;
    company.happens(3, started("1.2.0", "1.3.0", &[], 1)).await;
    company.happens(3, announced()).await;
    company.happens(3, rolled_back()).await;
    for update in [4, 5] {
        company.happens(update, reverting("1.2.0", "1.1.0")).await;
        company.happens(update, announced()).await;
        let end = if update == 4 {
            rolled_back()
        } else {
            completed()
        };
        company.happens(update, end).await;
    }
    announce_rehearsal(&company.store, &failed_rehearsal())
        .await
        .unwrap();
    for language in Lang::ALL {
        send_test(&company.store, "bob@example.com", language)
            .await
            .unwrap();
        send_report(&company.store, &report(), &sender(language))
            .await
            .unwrap();
    }
    let mut all = Vec::new();
    for summary in company.mails().await {
        let mail = company.store.mail(summary.id).await.unwrap().unwrap();
        all.push((summary, mail.text, mail.html));
    }
    all
}

fn sender(language: Lang) -> User {
    User {
        id: 1,
        name: "Alena <b>Nováková</b>".to_owned(),
        email: "alena@example.com".to_owned(),
        language,
        has_password: true,
        source: crate::store::users::Source::Manual,
        active: true,
        created: Timestamp::now(),
    }
}

/// A report about an update that was undone.
fn report() -> Report {
    Report {
        at: Timestamp::now(),
        obnova: "0.1.0".to_owned(),
        product: "kontakty".to_owned(),
        installed: version("1.2.0"),
        update: Some(UpdateSummary {
            update: 3,
            from: version("1.2.0"),
            to: version("1.3.0"),
            then: vec![],
            actor: "Alena".to_owned(),
            started: Timestamp::now(),
            finished: Some(Timestamp::now()),
            outcome: Outcome::RolledBack,
            blackout_ms: Some(900),
            steps: vec![],
            problem: Some(Problem::new(problem::UNHEALTHY).arg("version", "1.3.0")),
            kind: Default::default(),
            forecast: None,
        }),
        events: vec![],
        system: Default::default(),
        logs: Default::default(),
        support_email: Some("support@vendor.example.com".to_owned()),
    }
}

#[tokio::test]
async fn every_mail_has_its_texts_and_no_markup_of_others() {
    for url in ["", "https://centre.example.com/"] {
        let mails = all_mails(url).await;
        let kinds: BTreeSet<&str> = mails.iter().map(|(mail, ..)| mail.kind.as_str()).collect();
        assert_eq!(kinds.len(), 15, "{kinds:?}");
        for (summary, text, html) in &mails {
            for part in [&summary.subject, text, html] {
                for unresolved in ["mail-", "problem-", "{ $", "{$"] {
                    assert!(!part.contains(unresolved), "a text is missing: {part}");
                }
            }
            assert!(!html.contains("<b>"), "{html}");
            assert!(!html.contains("<style") && !html.contains("href=\"\""));
            assert!(!html.contains("src="), "nothing is loaded from elsewhere");
            assert!(!html.contains("//updates"), "{html}");
            let kind = format!("mail-kind-{}", summary.kind.replace('_', "-"));
            assert!(Lang::ALL.iter().all(|l| Text::of(*l).has(&kind)), "{kind}");
        }
    }
}

#[test]
fn a_subject_is_one_line() {
    assert_eq!(
        one_line("Kontakty\r\nBcc: all@example.com"),
        "Kontakty Bcc: all@example.com"
    );
}

#[tokio::test]
async fn a_product_s_name_adds_no_header() {
    let mut company = Company::found().await;
    company
        .store
        .set_product_name("Kontakty\r\nBcc: thief@example.com")
        .await
        .unwrap();
    company.happens(1, started("1.0.0", "1.1.0", &[], 1)).await;
    for mail in company.mails().await {
        assert!(!mail.subject.contains(['\r', '\n']));
    }
}

#[tokio::test]
async fn ten_thousand_people_are_told_within_seconds_and_pages_go_on_being_read() {
    let company = Company::found().await;
    let mut rows = String::from("name,email,language\n");
    for i in 0..10_000 {
        let language = if i % 2 == 0 { "cs" } else { "en" };
        rows += &format!("Člověk {i},person{i}@example.com,{language}\n");
    }
    let outcome = crate::jobs::import_users::from_csv(&company.store, rows.as_bytes(), false)
        .await
        .unwrap();
    assert_eq!(outcome.added, 10_000);

    let mut company = company;
    let begin = company.event(1, started("1.0.0", "1.1.0", &[], 1));
    announce(&company.store, &begin).await.unwrap();
    let event = company.event(1, announced());
    let store = company.store.clone();
    let start = Instant::now();
    let filling = tokio::spawn(async move { announce(&store, &event).await.unwrap() });
    let mut slowest = Duration::ZERO;
    let mut reads = 0;
    while !filling.is_finished() {
        let read = Instant::now();
        company.store.mail_counts().await.unwrap();
        slowest = slowest.max(read.elapsed());
        reads += 1;
        tokio::task::yield_now().await;
    }
    assert_eq!(filling.await.unwrap(), 10_002);
    let took = start.elapsed();
    println!("10,002 mails in {took:?}; {reads} reads meanwhile, the slowest {slowest:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[tokio::test]
async fn administrators_are_told_when_the_chosen_groups_have_nobody() {
    for chosen in [vec![], vec!["Gone".to_owned()], vec!["Empty".to_owned()]] {
        let mut company = Company::found().await;
        company.store.add_group("Empty").await.unwrap();
        let mut settings = company.store.settings().await.unwrap();
        settings.notify_groups = chosen;
        company.store.save_settings(&settings).await.unwrap();
        company.happens(1, started("1.0.0", "1.1.0", &[], 1)).await;
        assert_eq!(
            company.told().await,
            ["update_started_group alena@example.com"]
        );
    }
}

#[tokio::test]
async fn nobody_but_the_chosen_groups_is_told_the_details_when_they_have_somebody() {
    let mut company = Company::found().await;
    let group = company.store.add_group("IT").await.unwrap();
    let bob = company
        .store
        .user_by_email("bob@example.com")
        .await
        .unwrap();
    let bob = bob.unwrap().0.id;
    company.store.set_groups_of(bob, &[group]).await.unwrap();
    let mut settings = company.store.settings().await.unwrap();
    settings.notify_groups = vec!["IT".to_owned()];
    company.store.save_settings(&settings).await.unwrap();
    company.happens(1, started("1.0.0", "1.1.0", &[], 1)).await;
    assert_eq!(
        company.told().await,
        ["update_started_group bob@example.com"]
    );
}
