use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use super::*;

const MAIL: &str = "Subject: =?utf-8?q?Aktualizace_za=C4=8Dala?=\r\n\
    Message-ID: <1@obnova.test>\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/alternative; boundary=x\r\n\r\n\
    --x\r\nContent-Type: text/plain\r\n\r\n..dots\r\n\
    --x\r\nContent-Type: text/html\r\n\r\n<p>dots</p>\r\n--x--\r\n";

/// Sends lines, and returns the code of the answer to each.
fn say(sink: &Sink, lines: &[&str]) -> Vec<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", sink.port())).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut codes = Vec::new();
    for line in std::iter::once(&"").chain(lines) {
        stream.write_all(line.as_bytes()).unwrap();
        loop {
            let mut answer = String::new();
            if answers.read_line(&mut answer).unwrap() == 0 {
                codes.push("closed".to_owned());
                return codes;
            }
            if answer.as_bytes()[3] == b' ' {
                codes.push(answer[..3].to_owned());
                break;
            }
        }
    }
    codes
}

fn deliver(sink: &Sink) -> Vec<String> {
    let content = format!("{MAIL}.\r\n");
    let lines = [
        "EHLO test\r\n",
        "MAIL FROM:<obnova@example.test>\r\n",
        "RCPT TO:<jana@example.test>\r\n",
        "DATA\r\n",
        &content,
        "QUIT\r\n",
    ];
    say(sink, &lines)
}

#[tokio::test]
async fn a_mail_arrives_with_its_parts_decoded() {
    let directory = tempfile::tempdir().unwrap();
    let sink = Sink::start_in(directory.path()).unwrap();
    let codes = deliver(&sink);
    assert_eq!(codes, ["220", "250", "250", "250", "354", "250", "221"]);
    let mails = sink.wait_for(1, Duration::from_secs(5)).await.unwrap();
    let mail = &mails[0];
    assert_eq!(mail.subject, "Aktualizace začala");
    assert_eq!(mail.message_id, "1@obnova.test");
    assert_eq!(mail.to, ["jana@example.test"]);
    assert_eq!(mail.from, "obnova@example.test");
    // SMTP doubles a dot at the start of a line; it is single again here.
    assert_eq!(mail.text.as_deref(), Some(".dots"));
    assert_eq!(mail.html.as_deref(), Some("<p>dots</p>"));
    let file = std::fs::read_to_string(directory.path().join("000001.eml")).unwrap();
    assert!(file.contains("Delivered-To: jana@example.test\r\n"));
}

#[test]
fn a_refused_recipient_gets_the_code_and_the_next_one_is_taken() {
    let sink = Sink::start().unwrap();
    sink.refuse_next(1, 451);
    assert_eq!(deliver(&sink)[3], "451");
    assert_eq!(deliver(&sink)[3], "250");
    sink.refuse_recipient("jana@example.test", 550);
    assert_eq!(deliver(&sink)[3], "550");
    assert_eq!(sink.messages().len(), 1);
}

#[test]
fn a_mail_can_be_kept_without_an_answer() {
    let sink = Sink::start().unwrap();
    sink.drop_reply_of_next(1);
    assert_eq!(deliver(&sink).last().unwrap(), "closed");
    assert_eq!(sink.messages().len(), 1);
    assert_eq!(deliver(&sink).last().unwrap(), "221");
}

#[test]
fn a_password_is_asked_for_and_checked() {
    let options = SinkOptions {
        login: Some(("obnova".to_owned(), "secret".to_owned())),
        ..SinkOptions::default()
    };
    let sink = Sink::with(options).unwrap();
    let refused = ["EHLO t\r\n", "MAIL FROM:<a@b.c>\r\n"];
    assert_eq!(say(&sink, &refused)[2], "503");
    // The base64 of "\0obnova\0wrong" and of "\0obnova\0secret".
    let wrong = ["EHLO t\r\n", "AUTH PLAIN AG9ibm92YQB3cm9uZw==\r\n"];
    assert_eq!(say(&sink, &wrong)[2], "535");
    let right = [
        "EHLO t\r\n",
        "AUTH PLAIN AG9ibm92YQBzZWNyZXQ=\r\n",
        "MAIL FROM:<a@b.c>\r\n",
    ];
    assert_eq!(say(&sink, &right)[2..], ["235", "250"]);
}

#[test]
fn its_port_is_free_again_once_it_is_dropped() {
    // Somebody else may get the port before it is asked for again, but not each time; a sink that kept it would.
    let is_free = || {
        let sink = Sink::start().unwrap();
        let port = sink.port();
        deliver(&sink);
        drop(sink);
        let options = SinkOptions {
            port,
            ..SinkOptions::default()
        };
        Sink::with(options).is_ok_and(|sink| sink.port() == port)
    };
    assert!((0..5).any(|_| is_free()));
}

#[tokio::test]
async fn a_connection_is_encrypted_with_a_certificate_that_can_be_trusted() {
    use std::sync::Arc;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::crypto::aws_lc_rs;
    use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    let options = SinkOptions {
        starttls: true,
        login: Some(("obnova".to_owned(), "secret".to_owned())),
        ..SinkOptions::default()
    };
    let sink = Sink::with(options).unwrap();
    // Without encryption no password is taken.
    let plain = ["EHLO t\r\n", "AUTH PLAIN AG9ibm92YQBzZWNyZXQ=\r\n"];
    assert_eq!(say(&sink, &plain)[2], "503");

    let mut roots = RootCertStore::empty();
    let authority = sink.certificate_pem().unwrap().as_bytes();
    roots
        .add(CertificateDer::from_pem_slice(authority).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", sink.port()))
        .await
        .unwrap();
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    for command in ["EHLO t\r\n", "STARTTLS\r\n"] {
        stream.write_all(command.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
    while !line.contains("Ready to start TLS") {
        stream.read_line(&mut line).await.unwrap();
    }
    let mut encrypted = BufStream::new(
        TlsConnector::from(Arc::new(config))
            .connect("localhost".try_into().unwrap(), stream.into_inner())
            .await
            .unwrap(),
    );
    let commands = "EHLO t\r\nAUTH PLAIN AG9ibm92YQBzZWNyZXQ=\r\n";
    encrypted.write_all(commands.as_bytes()).await.unwrap();
    encrypted.flush().await.unwrap();
    line.clear();
    while !line.contains("235 ") {
        assert_ne!(encrypted.read_line(&mut line).await.unwrap(), 0, "{line}");
    }
    assert!(line.contains("AUTH PLAIN LOGIN"), "{line}");
}
