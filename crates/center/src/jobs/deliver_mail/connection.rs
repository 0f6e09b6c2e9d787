//! One SMTP connection. Lettre speaks the protocol; its pooled transport is not used because it sends a mail as one act, and
//! the outbox must know the instant before the content goes out (see `deliver_mail.rs`).

use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};

use crate::store::settings::{SmtpSecurity, SmtpSettings};

/// Mails sent over one connection; servers close those that go on for ever.
const MAILS_PER_CONNECTION: u32 = 100;

/// Longest time for saying goodbye.
const QUIT: Duration = Duration::from_secs(2);

/// What the mail server, or the way to it, has against a mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The server cannot be used now; no mail can be sent.
    Server(String),
    /// This mail not now.
    Later(String),
    /// This mail never.
    Never(String),
}

/// A connection.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    timeout: Duration,
    sent: u32,
    /// A transaction was begun and not ended: it is reset before the next.
    dirty: bool,
    /// The conversation was broken off in the middle.
    broken: bool,
}

impl Connection {
    /// Connects, encrypts and signs in, as the settings say.
    pub(super) async fn open(
        settings: &SmtpSettings,
        timeout: Duration,
    ) -> Result<Connection, Refusal> {
        tokio::time::timeout(timeout, connect(settings, timeout))
            .await
            .map_err(|_| Refusal::Server(no_answer(timeout)))?
            .map(|smtp| Connection {
                smtp,
                timeout,
                sent: 0,
                dirty: false,
                broken: false,
            })
            .map_err(|error| Refusal::Server(words(&error)))
    }

    /// Whether another mail can be sent over it.
    pub(super) fn is_usable(&self) -> bool {
        !self.broken && !self.smtp.has_broken() && self.sent < MAILS_PER_CONNECTION
    }

    /// Says from whom to whom. When this returns the server waits for the content.
    pub(super) async fn offer(&mut self, envelope: &Envelope) -> Result<(), Refusal> {
        if std::mem::replace(&mut self.dirty, true) {
            self.command(Rset, About::Server).await?;
        }
        let mut parameters = vec![];
        if self
            .smtp
            .server_info()
            .supports_feature(Extension::EightBitMime)
        {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if !addresses_are_ascii(envelope) {
            if !self
                .smtp
                .server_info()
                .supports_feature(Extension::SmtpUtfEight)
            {
                self.dirty = false;
                return Err(Refusal::Never(
                    "the mail server takes no addresses with such letters (SMTPUTF8)".to_owned(),
                ));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        // The sender is the same for all mails: what is said against it is said against all.
        let from = envelope.from().cloned();
        self.command(Mail::new(from, parameters), About::Server)
            .await?;
        for to in envelope.to() {
            self.command(Rcpt::new(to.clone(), vec![]), About::Mail)
                .await?;
        }
        self.command(Data, About::Mail).await
    }

    /// Sends the content. When this returns `Ok` the server has taken the mail.
    ///
    /// Content and final dot go out as one write: in two, as lettre's `message` sends them, the dot waits for the server's
    /// delayed acknowledgement of the content (Nagle's algorithm), and those 40 milliseconds are the time in which a dying
    /// process makes a mail come twice.
    pub(super) async fn hand_over(&mut self, message: &[u8]) -> Result<(), Refusal> {
        let content = content(message)?;
        self.command(content, About::Mail).await?;
        self.dirty = false;
        self.sent += 1;
        Ok(())
    }

    /// Ends it politely; the server may not care.
    pub(super) async fn quit(mut self) {
        if !self.broken {
            let _ = tokio::time::timeout(QUIT, self.smtp.quit()).await;
        }
    }

    async fn command(
        &mut self,
        command: impl std::fmt::Display,
        about: About,
    ) -> Result<(), Refusal> {
        // Until the answer is there: dropped meanwhile, question and answer no longer fit together.
        self.broken = true;
        let result = tokio::time::timeout(self.timeout, self.smtp.command(command)).await;
        self.answered(result.map(|answer| answer.map(drop)), about)
    }

    fn answered(
        &mut self,
        result: Result<Result<(), Error>, tokio::time::error::Elapsed>,
        about: About,
    ) -> Result<(), Refusal> {
        match result {
            Err(_) => Err(Refusal::Server(no_answer(self.timeout))),
            Ok(Ok(())) => {
                self.broken = false;
                Ok(())
            }
            Ok(Err(error)) => {
                self.broken = error.status().is_none();
                Err(judge(&error, about))
            }
        }
    }
}

/// A message as SMTP transfers it: dots at the beginning of lines are doubled, a single one ends it.
fn content(message: &[u8]) -> Result<String, Refusal> {
    let message = std::str::from_utf8(message)
        .map_err(|error| Refusal::Never(format!("the message is not text: {error}")))?;
    let dot = if message.starts_with('.') { "." } else { "" };
    let end = if message.ends_with("\r\n") {
        ""
    } else {
        "\r\n"
    };
    Ok(format!(
        "{dot}{}{end}.\r\n",
        message.replace("\r\n.", "\r\n..")
    ))
}

fn addresses_are_ascii(envelope: &Envelope) -> bool {
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii())
}

/// What a command is about: a refusal of it counts for this mail, or for all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Server,
    Mail,
}

/// 421: the server ends the connection. 530, 535, 538: it wants another sign-in. All the same for every mail.
const OF_THE_SERVER: [&str; 4] = ["421", "530", "535", "538"];

fn judge(error: &Error, about: About) -> Refusal {
    let text = words(error);
    let Some(code) = error.status().map(|code| code.to_string()) else {
        return Refusal::Server(text);
    };
    if about == About::Server || OF_THE_SERVER.contains(&code.as_str()) {
        Refusal::Server(text)
    } else if error.is_permanent() {
        Refusal::Never(text)
    } else {
        Refusal::Later(text)
    }
}

/// An error and its causes in one line.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn no_answer(timeout: Duration) -> String {
    format!("no answer within {} seconds", timeout.as_secs())
}

async fn connect(settings: &SmtpSettings, timeout: Duration) -> Result<AsyncSmtpConnection, Error> {
    let hello = ClientId::default();
    let server = (settings.host.as_str(), settings.port);
    let tls = match settings.security {
        SmtpSecurity::None => None,
        SmtpSecurity::StartTls | SmtpSecurity::Tls => Some(tls(settings)?),
    };
    let (from_start, later) = match settings.security {
        SmtpSecurity::StartTls => (None, tls),
        SmtpSecurity::None | SmtpSecurity::Tls => (tls, None),
    };
    let mut smtp =
        AsyncSmtpConnection::connect_tokio1(server, Some(timeout), &hello, from_start, None)
            .await?;
    if let Some(tls) = later {
        // Fails when the server has no STARTTLS: nothing, a password least of all, goes over it in the clear.
        smtp.starttls(tls, &hello).await?;
    }
    if !settings.username.is_empty() {
        let credentials = Credentials::new(
            settings.username.clone(),
            settings.password.expose().to_owned(),
        );
        smtp.auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
            .await?;
    }
    Ok(smtp)
}

fn tls(settings: &SmtpSettings) -> Result<TlsParameters, Error> {
    let mut builder: TlsParametersBuilder = TlsParameters::builder(settings.host.clone());
    if !settings.trusted_certificates.trim().is_empty() {
        builder = builder.add_root_certificate(Certificate::from_pem(
            settings.trusted_certificates.as_bytes(),
        )?);
    }
    builder.build_rustls()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_in_a_message_do_not_end_it() {
        assert_eq!(content(b".a\r\n.\r\nb").unwrap(), "..a\r\n..\r\nb\r\n.\r\n");
        assert_eq!(content(b"a\r\n").unwrap(), "a\r\n.\r\n");
    }
}
