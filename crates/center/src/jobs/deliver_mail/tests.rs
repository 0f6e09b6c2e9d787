use std::collections::{BTreeMap, BTreeSet};

use obnova_testkit::sink::{Received, Sink, SinkOptions};
use obnova_text::Lang;
use tokio::sync::watch;

use super::*;
use crate::mails::announce::announce;
use crate::mails::tests::{Company, announced, started};
use crate::store::outbox::{MailState, MailSummary};
use crate::store::settings::{Secret, SmtpSecurity, SmtpSettings};

const SOON: Duration = Duration::from_secs(20);

fn quick() -> Options {
    Options {
        timeout: Duration::from_secs(5),
        first_retry: Duration::from_millis(100),
        longest_retry: Duration::from_millis(400),
        least_attempts: 4,
        ..Options::default()
    }
}

pub(in crate::jobs) async fn use_sink(store: &Store, sink: &Sink) {
    use_server(
        store,
        SmtpSettings {
            host: "127.0.0.1".to_owned(),
            port: sink.port(),
            security: SmtpSecurity::None,
            ..SmtpSettings::default()
        },
    )
    .await;
}

async fn use_server(store: &Store, smtp: SmtpSettings) {
    let mut settings = store.settings().await.unwrap();
    settings.smtp = smtp;
    settings.mail_from = "Administrační centrum <centre@firma.example.com>".to_owned();
    store.save_settings(&settings).await.unwrap();
}

/// A delivery that runs until it is told to end, or dropped.
struct Running {
    end: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(store: &Store) -> Running {
        let (end, ended) = watch::channel(false);
        let task = tokio::spawn(run(store.clone(), quick(), ended));
        Running { end, task }
    }

    async fn end(mut self) {
        self.end.send(true).unwrap();
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until a mail is in this state and returns it.
async fn wait_for(store: &Store, id: MailId, state: MailState) -> MailSummary {
    let wait = async {
        loop {
            let mail = store.mail(id).await.unwrap().unwrap().summary;
            if mail.state == state {
                return mail;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(SOON, wait).await {
        Ok(mail) => mail,
        Err(_) => panic!("still {:?}", store.mail(id).await.unwrap().unwrap().summary),
    }
}

/// Waits until a mail was tried without success and waits; returns what was said against it.
async fn wait_for_error(store: &Store, id: MailId) -> String {
    let wait = async {
        loop {
            let mail = store.mail(id).await.unwrap().unwrap().summary;
            if let (MailState::Waiting, Some(error)) = (mail.state, mail.last_error) {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("no error")
}

async fn wait_until_all_sent(store: &Store) {
    let wait = async {
        while store.mail_counts().await.unwrap().waiting
            + store.mail_counts().await.unwrap().sending
            > 0
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .expect("not all was sent");
}

fn header(mail: &Received, name: &str) -> String {
    let raw = String::from_utf8(mail.raw.clone()).unwrap();
    let head = raw.split("\r\n\r\n").next().unwrap();
    let head = head.replace("\r\n ", " ");
    head.lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")))
        .unwrap_or_default()
        .to_owned()
}

async fn test_mail(company: &Company) -> MailId {
    crate::mails::send_test(&company.store, "bob@example.com", Lang::En)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_mail_has_a_text_and_an_html_part_and_the_headers_of_a_machine() {
    let sink = Sink::start().unwrap();
    let mut company = Company::found().await;
    use_sink(&company.store, &sink).await;
    let events = [
        company.event(1, started("1.0.0", "1.1.0", &[], 1)),
        company.event(1, announced()),
    ];
    for event in &events {
        announce(&company.store, event).await.unwrap();
    }
    let running = Running::start(&company.store);
    let received = sink.wait_for(3, SOON).await.unwrap();
    wait_until_all_sent(&company.store).await;
    running.end().await;
    let simons = received
        .iter()
        .find(|mail| mail.to == ["simon@example.com"])
        .unwrap();
    assert_eq!(simons.from, "centre@firma.example.com");
    assert_eq!(
        simons.subject,
        "Kontakty: probíhá aktualizace na verzi 1.1.0"
    );
    assert!(
        simons
            .text
            .as_ref()
            .unwrap()
            .contains("Můžete pracovat dál.")
    );
    assert!(
        simons
            .html
            .as_ref()
            .unwrap()
            .contains("Můžete pracovat dál.")
    );
    assert!(simons.raw.is_ascii());
    assert_eq!(header(simons, "Auto-Submitted"), "auto-generated");
    assert!(header(simons, "Content-Type").starts_with("multipart/alternative"));
    assert!(header(simons, "Date").ends_with("+0000"));
    assert!(
        simons.message_id.ends_with("@firma.example.com"),
        "{}",
        simons.message_id
    );
    let parsed = mail_parser::MessageParser::default()
        .parse(&simons.raw)
        .unwrap();
    let to = parsed.to().unwrap().first().unwrap();
    assert_eq!(to.name(), Some("Šimon Žďárský"));
    assert_eq!(to.address(), Some("simon@example.com"));
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!(from.name(), Some("Administrační centrum"));
}

#[tokio::test]
async fn a_report_has_its_json_attached_and_is_answered_to_the_administrator() {
    let sink = Sink::start().unwrap();
    let company = Company::found().await;
    use_sink(&company.store, &sink).await;
    let alena = company
        .store
        .user_by_email("alena@example.com")
        .await
        .unwrap();
    let report = obnova_engine::api::Report {
        at: Timestamp::now(),
        obnova: "0.1.0".to_owned(),
        product: "kontakty".to_owned(),
        installed: "1.1.0".parse().unwrap(),
        update: None,
        events: vec![],
        system: BTreeMap::new(),
        logs: BTreeMap::new(),
        support_email: Some("support@vendor.example.com".to_owned()),
    };
    crate::mails::send_report(&company.store, &report, &alena.unwrap().0)
        .await
        .unwrap();
    let running = Running::start(&company.store);
    let received = sink.wait_for(1, SOON).await.unwrap();
    running.end().await;
    let parsed = mail_parser::MessageParser::default()
        .parse(&received[0].raw)
        .unwrap();
    assert_eq!(received[0].to, ["support@vendor.example.com"]);
    let reply_to = parsed.reply_to().unwrap().first().unwrap();
    assert_eq!(reply_to.address(), Some("alena@example.com"));
    let attachment = parsed.attachment(0).unwrap();
    let back: obnova_engine::api::Report = serde_json::from_slice(attachment.contents()).unwrap();
    assert_eq!(back, report);
}

#[tokio::test]
async fn a_refusal_for_now_is_tried_again_later() {
    let sink = Sink::start().unwrap();
    let company = Company::found().await;
    use_sink(&company.store, &sink).await;
    sink.refuse_next(2, 451);
    let id = test_mail(&company).await;
    let running = Running::start(&company.store);
    let mail = wait_for(&company.store, id, MailState::Sent).await;
    running.end().await;
    assert_eq!(sink.messages().len(), 1);
    assert_eq!(mail.attempts, 3);
}

#[tokio::test]
async fn a_refusal_for_ever_is_final_until_somebody_sends_it_again() {
    let sink = Sink::start().unwrap();
    let company = Company::found().await;
    use_sink(&company.store, &sink).await;
    sink.refuse_next(1, 550);
    let id = test_mail(&company).await;
    let running = Running::start(&company.store);
    let mail = wait_for(&company.store, id, MailState::Failed).await;
    assert!(mail.last_error.unwrap().contains("550"));
    assert_eq!(company.store.resend(id).await.unwrap(), id);
    wait_for(&company.store, id, MailState::Sent).await;
    let again = company.store.resend(id).await.unwrap();
    assert_ne!(again, id);
    wait_for(&company.store, again, MailState::Sent).await;
    running.end().await;
    let received = sink.messages();
    assert_eq!(received.len(), 2);
    assert_ne!(received[0].message_id, received[1].message_id);
}

#[tokio::test]
async fn one_refused_recipient_does_not_keep_the_others_waiting() {
    let sink = Sink::start().unwrap();
    let mut company = Company::found().await;
    use_sink(&company.store, &sink).await;
    sink.refuse_recipient("simon@example.com", 550);
    for event in [
        company.event(1, started("1.0.0", "1.1.0", &[], 1)),
        company.event(1, announced()),
    ] {
        announce(&company.store, &event).await.unwrap();
    }
    let running = Running::start(&company.store);
    wait_until_all_sent(&company.store).await;
    running.end().await;
    let counts = company.store.mail_counts().await.unwrap();
    assert_eq!((counts.sent, counts.failed), (2, 1));
}

#[tokio::test]
async fn a_server_that_closes_the_connection_is_tried_again() {
    let sink = Sink::start().unwrap();
    let company = Company::found().await;
    use_sink(&company.store, &sink).await;
    sink.refuse_next(1, 421);
    let id = test_mail(&company).await;
    let running = Running::start(&company.store);
    wait_for(&company.store, id, MailState::Sent).await;
    running.end().await;
}

#[tokio::test]
async fn a_mail_whose_confirmation_was_lost_is_sent_again_under_the_same_message_id() {
    let sink = Sink::start().unwrap();
    let company = Company::found().await;
    use_sink(&company.store, &sink).await;
    sink.drop_reply_of_next(1);
    let id = test_mail(&company).await;
    let running = Running::start(&company.store);
    wait_for(&company.store, id, MailState::Sent).await;
    running.end().await;
    let received = sink.messages();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].message_id, received[1].message_id);
    assert_eq!(received[0].text, received[1].text);
}

#[tokio::test]
async fn mail_waits_for_a_server_that_is_away_and_goes_out_when_it_is_back() {
    let sink = Sink::start().unwrap();
    let port = sink.port();
    let company = Company::found().await;
    use_sink(&company.store, &sink).await;
    drop(sink);
    let running = Running::start(&company.store);
    let ids = [test_mail(&company).await, test_mail(&company).await];
    for id in ids {
        wait_for_error(&company.store, id).await;
    }
    let sink = Sink::with(SinkOptions {
        port,
        ..SinkOptions::default()
    })
    .unwrap();
    for id in ids {
        wait_for(&company.store, id, MailState::Sent).await;
    }
    running.end().await;
    assert_eq!(sink.messages().len(), 2);
}

#[tokio::test]
async fn without_a_mail_server_mail_waits_and_the_setting_sends_it() {
    let sink = Sink::start().unwrap();
    let company = Company::found().await;
    let id = test_mail(&company).await;
    let running = Running::start(&company.store);
    assert_eq!(wait_for_error(&company.store, id).await, NOT_SET_UP);
    use_sink(&company.store, &sink).await;
    wait_for(&company.store, id, MailState::Sent).await;
    running.end().await;
}

#[tokio::test]
async fn a_mail_that_a_server_always_stumbles_over_does_not_hold_up_the_rest() {
    let sink = Sink::start().unwrap();
    let company = Company::found().await;
    use_sink(&company.store, &sink).await;
    sink.refuse_recipient("trouble@example.com", 421);
    let trouble = crate::mails::send_test(&company.store, "trouble@example.com", Lang::En)
        .await
        .unwrap();
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(test_mail(&company).await);
    }
    let running = Running::start(&company.store);
    for id in others {
        wait_for(&company.store, id, MailState::Sent).await;
    }
    wait_for(&company.store, trouble, MailState::Waiting).await;
    running.end().await;
}

#[tokio::test]
async fn a_sender_that_is_no_address_keeps_mail_waiting() {
    let sink = Sink::start().unwrap();
    let company = Company::found().await;
    use_sink(&company.store, &sink).await;
    let mut settings = company.store.settings().await.unwrap();
    settings.mail_from = "centre@firma.example.com\r\nBcc: thief@example.com".to_owned();
    company.store.save_settings(&settings).await.unwrap();
    let id = test_mail(&company).await;
    let running = Running::start(&company.store);
    let error = wait_for_error(&company.store, id).await;
    running.end().await;
    assert!(error.contains("sender"), "{error}");
    assert!(sink.messages().is_empty());
}

#[tokio::test]
async fn mail_that_waited_for_days_is_given_up() {
    let company = Company::found().await;
    let id = test_mail(&company).await;
    let later = Timestamp::now() + Duration::from_secs(1);
    assert_eq!(company.store.give_up_older(later, 0).await.unwrap(), 1);
    wait_for(&company.store, id, MailState::Failed).await;
}

/// Moves all times of the outbox, as a clock that jumps by so much seems to do.
async fn shift(company: &Company, by: i64) {
    use sqlx::Connection;
    let file = company.store.data_dir().join(crate::store::FILE_NAME);
    let url = format!("sqlite:{}", file.display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("UPDATE outbox SET created = created + ?1, next_attempt = next_attempt + ?1")
        .bind(by)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

const YEAR_MS: i64 = 365 * 24 * 3600 * 1000;

#[tokio::test]
async fn a_clock_that_jumps_by_a_year_neither_gives_mail_up_nor_lets_it_wait() {
    for by in [-YEAR_MS, YEAR_MS] {
        let company = Company::found().await;
        let sink = Sink::start().unwrap();
        use_sink(&company.store, &sink).await;
        let id = test_mail(&company).await;
        shift(&company, by).await;
        let running = Running::start(&company.store);
        wait_for(&company.store, id, MailState::Sent).await;
        running.end().await;
        assert_eq!(sink.messages().len(), 1);
    }
}

#[tokio::test]
async fn mail_that_an_outage_put_off_is_given_up_only_after_many_attempts() {
    let company = Company::found().await;
    use_server(
        &company.store,
        SmtpSettings {
            host: "127.0.0.1".to_owned(),
            port: 1,
            security: SmtpSecurity::None,
            ..SmtpSettings::default()
        },
    )
    .await;
    let ids = [test_mail(&company).await, test_mail(&company).await];
    shift(&company, -YEAR_MS).await;
    let running = Running::start(&company.store);
    for id in ids {
        let mail = wait_for(&company.store, id, MailState::Failed).await;
        assert_eq!(mail.attempts, quick().least_attempts);
    }
    running.end().await;
}

/// A server that encrypts in this way and asks for a password.
fn locked_sink(security: SmtpSecurity) -> Sink {
    Sink::with(SinkOptions {
        starttls: security == SmtpSecurity::StartTls,
        tls: security == SmtpSecurity::Tls,
        login: Some(("centre".to_owned(), "correct horse".to_owned())),
        ..SinkOptions::default()
    })
    .unwrap()
}

const ENCRYPTED: [SmtpSecurity; 2] = [SmtpSecurity::StartTls, SmtpSecurity::Tls];

fn locked_settings(sink: &Sink, security: SmtpSecurity, password: &str) -> SmtpSettings {
    SmtpSettings {
        host: "localhost".to_owned(),
        port: sink.port(),
        security,
        username: "centre".to_owned(),
        password: Secret::new(password),
        trusted_certificates: sink.certificate_pem().unwrap().to_owned(),
    }
}

#[tokio::test]
async fn mail_goes_encrypted_and_with_a_password() {
    for security in ENCRYPTED {
        let sink = locked_sink(security);
        let company = Company::found().await;
        let smtp = locked_settings(&sink, security, "correct horse");
        use_server(&company.store, smtp).await;
        let id = test_mail(&company).await;
        let running = Running::start(&company.store);
        wait_for(&company.store, id, MailState::Sent).await;
        running.end().await;
        assert_eq!(sink.messages().len(), 1, "{security:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_keeps_mail_waiting_and_is_told_nowhere() {
    for security in ENCRYPTED {
        let sink = locked_sink(security);
        let smtp = locked_settings(&sink, security, "battery staple");
        let error = error_of(smtp).await;
        let is_told = error.contains("battery") || error.contains("YmF0dGVyeSBzdGFwbGU");
        assert!(!is_told, "{error}");
        assert!(sink.messages().is_empty());
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_not_accepted() {
    for security in ENCRYPTED {
        let sink = locked_sink(security);
        let mut smtp = locked_settings(&sink, security, "correct horse");
        smtp.trusted_certificates.clear();
        let error = error_of(smtp).await;
        assert!(error.contains("certificate"), "{error}");
        assert!(sink.messages().is_empty());
    }
}

#[tokio::test]
async fn a_certificate_for_another_server_is_not_accepted() {
    for security in ENCRYPTED {
        let sink = locked_sink(security);
        let mut smtp = locked_settings(&sink, security, "correct horse");
        // This machine too, but under a name that the certificate does not have.
        smtp.host = "0.0.0.0".to_owned();
        let error = error_of(smtp).await;
        assert!(error.contains("certificate"), "{error}");
        assert!(sink.messages().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_gets_neither_mail_nor_password() {
    let sink = Sink::start().unwrap();
    let mut smtp = SmtpSettings {
        host: "localhost".to_owned(),
        port: sink.port(),
        security: SmtpSecurity::Tls,
        ..SmtpSettings::default()
    };
    smtp.username = "centre".to_owned();
    error_of(smtp).await;
    assert!(sink.messages().is_empty());
}

/// What keeps a mail from going out through this server.
async fn error_of(smtp: SmtpSettings) -> String {
    let company = Company::found().await;
    use_server(&company.store, smtp).await;
    let id = test_mail(&company).await;
    let running = Running::start(&company.store);
    let error = wait_for_error(&company.store, id).await;
    running.end().await;
    error
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_mail_nor_password() {
    let sink = Sink::start().unwrap();
    let company = Company::found().await;
    use_server(
        &company.store,
        SmtpSettings {
            host: "localhost".to_owned(),
            port: sink.port(),
            security: SmtpSecurity::StartTls,
            ..SmtpSettings::default()
        },
    )
    .await;
    let id = test_mail(&company).await;
    let running = Running::start(&company.store);
    let error = wait_for_error(&company.store, id).await;
    running.end().await;
    assert!(error.contains("STARTTLS"), "{error}");
    assert!(sink.messages().is_empty());
}

/// Each mail arrived, and a second copy has the Message-ID of the first. Returns how many second copies there were.
pub(crate) fn copies(received: &[Received], expected: usize) -> usize {
    let mut by_recipient: BTreeMap<(&[String], &str), BTreeSet<&str>> = BTreeMap::new();
    for mail in received {
        by_recipient
            .entry((&mail.to, &mail.subject))
            .or_default()
            .insert(&mail.message_id);
    }
    assert_eq!(by_recipient.len(), expected, "some mails are missing");
    for (mail, ids) in &by_recipient {
        assert_eq!(ids.len(), 1, "{mail:?} came under several Message-IDs");
    }
    received.len() - expected
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_killed_at_any_moment_loses_nothing() {
    const PEOPLE: usize = 150;
    let sink = Sink::start().unwrap();
    let mut company = Company::found().await;
    for i in 0..PEOPLE {
        company
            .hire(
                &format!("Person {i}"),
                &format!("person{i}@example.com"),
                Lang::En,
            )
            .await;
    }
    use_sink(&company.store, &sink).await;
    for event in [
        company.event(1, started("1.0.0", "1.1.0", &[], 1)),
        company.event(1, announced()),
    ] {
        announce(&company.store, &event).await.unwrap();
    }
    let mut kills = 0;
    loop {
        let counts = company.store.mail_counts().await.unwrap();
        if counts.waiting + counts.sending == 0 {
            break;
        }
        let running = Running::start(&company.store);
        let pause = rand::random_range(2_000..25_000 + 500 * kills as u64);
        tokio::time::sleep(Duration::from_micros(pause)).await;
        running.task.abort();
        drop(running);
        // As a new process would: with a new handle to the store.
        company.store = Store::open(company.dir.path()).await.unwrap();
        kills += 1;
        assert!(kills < 1_000, "no progress");
    }
    let copies = copies(&sink.messages(), PEOPLE + 3);
    println!("{kills} kills, {copies} mails came twice");
    assert!(copies <= kills * Options::default().parallel);
}

#[tokio::test]
#[ignore = "a measurement: how fast mail goes out"]
async fn ten_thousand_mails_go_out() {
    let sink = Sink::start().unwrap();
    let mut company = Company::found().await;
    use_sink(&company.store, &sink).await;
    let mut rows = String::from("name,email\n");
    for i in 0..10_000 {
        rows += &format!("Person {i},person{i}@example.com\n");
    }
    crate::jobs::import_users::from_csv(&company.store, rows.as_bytes(), false)
        .await
        .unwrap();
    for event in [
        company.event(1, started("1.0.0", "1.1.0", &[], 1)),
        company.event(1, announced()),
    ] {
        announce(&company.store, &event).await.unwrap();
    }
    let start = std::time::Instant::now();
    let running = Running::start(&company.store);
    sink.wait_for(10_003, Duration::from_secs(300))
        .await
        .unwrap();
    println!("10,003 mails went out in {:?}", start.elapsed());
    running.end().await;
}
