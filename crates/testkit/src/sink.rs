//! A real SMTP server on loopback that keeps every mail it is given.
//!
//! It can ask for STARTTLS or TLS and a password, refuse recipients, and take a mail without ever answering, the case in
//! which a sender cannot know whether it was delivered.

mod connection;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mail_parser::{MessageParser, PartType};
use tokio::sync::{oneshot, watch};

/// One mail, once for each time it was sent (not once for each recipient).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The mail as it was sent.
    pub raw: Vec<u8>,
    /// Its subject, decoded; empty when it has none.
    pub subject: String,
    /// Its plain text part.
    pub text: Option<String>,
    /// Its HTML part.
    pub html: Option<String>,
    /// Its `Message-ID`, without the angle brackets; empty when it has none.
    pub message_id: String,
}

impl Received {
    fn parse(from: &str, to: &[String], raw: Vec<u8>) -> Self {
        let message = MessageParser::default().parse(&raw);
        let part = |wanted: fn(&PartType<'_>) -> Option<String>| {
            let parts = message.as_ref().map(|m| m.parts.as_slice());
            parts
                .unwrap_or_default()
                .iter()
                .find_map(|part| wanted(&part.body))
        };
        let text = part(|body| match body {
            PartType::Text(text) => Some(text.to_string()),
            _ => None,
        });
        let html = part(|body| match body {
            PartType::Html(html) => Some(html.to_string()),
            _ => None,
        });
        let subject = message.as_ref().and_then(|m| m.subject());
        let message_id = message.as_ref().and_then(|m| m.message_id());
        Self {
            from: from.to_owned(),
            to: to.to_vec(),
            subject: subject.unwrap_or_default().to_owned(),
            message_id: message_id.unwrap_or_default().to_owned(),
            text,
            html,
            raw,
        }
    }
}

/// What kind of mail server a [`Sink`] is.
#[derive(Debug, Clone, Default)]
pub struct SinkOptions {
    /// The TCP port on 127.0.0.1; 0 for any free one.
    pub port: u16,
    /// Keep each mail in this directory too, as `000001.eml` and so on.
    pub directory: Option<PathBuf>,
    /// Offer STARTTLS with a certificate made for this run; see [`Sink::certificate_pem`].
    pub starttls: bool,
    /// Speak TLS from the first byte, with such a certificate.
    pub tls: bool,
    /// Ask for this name and password. With `starttls` they are only taken on an encrypted connection.
    pub login: Option<(String, String)>,
}

/// The running server. It stops, and its port is free again, when this value is dropped.
#[derive(Debug)]
pub struct Sink {
    shared: Arc<Shared>,
    address: SocketAddr,
    certificate_pem: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Sink {
    /// Starts a server on a free port, without encryption or password.
    pub fn start() -> Result<Self> {
        Self::with(SinkOptions::default())
    }

    /// Starts a server on a free port that also keeps every mail as a file in `directory`.
    pub fn start_in(directory: impl AsRef<Path>) -> Result<Self> {
        Self::with(SinkOptions {
            directory: Some(directory.as_ref().to_owned()),
            ..SinkOptions::default()
        })
    }

    /// Starts a server.
    pub fn with(options: SinkOptions) -> Result<Self> {
        let encrypts = options.starttls || options.tls;
        let identity = encrypts.then(tls::Identity::make).transpose()?;
        let certificate_pem = identity.as_ref().map(|i| i.certificate_pem.clone());
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
            .with_context(|| format!("cannot listen on port {}", options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(options.directory)?);
        let server = connection::Server {
            shared: shared.clone(),
            acceptor: identity.map(|i| i.acceptor),
            from_first_byte: options.tls,
            login: options.login,
        };
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("mail-sink".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = server.serve(listener) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            shared,
            address,
            certificate_pem,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The certificate authority to trust when the server encrypts. The server's name is `localhost`.
    pub fn certificate_pem(&self) -> Option<&str> {
        self.certificate_pem.as_deref()
    }

    /// All mails so far, oldest first.
    pub fn messages(&self) -> Vec<Received> {
        self.shared.lock().messages.clone()
    }

    /// Waits until there are at least `count` mails and returns all of them; fails after `timeout`.
    pub async fn wait_for(&self, count: usize, timeout: Duration) -> Result<Vec<Received>> {
        let mut arrived = self.shared.arrived.subscribe();
        let enough = arrived.wait_for(|so_far| *so_far >= count);
        if tokio::time::timeout(timeout, enough).await.is_err() {
            let so_far: Vec<_> = self
                .messages()
                .iter()
                .map(|mail| format!("{:?} to {}", mail.subject, mail.to.join(", ")))
                .collect();
            bail!("waited {timeout:?} for {count} mails, got {so_far:?}");
        }
        Ok(self.messages())
    }

    /// Refuses the next `count` recipients with this SMTP code: 4xx is "try later", 5xx "never". A code of 421 closes
    /// the connection.
    pub fn refuse_next(&self, count: usize, code: u16) {
        self.shared.lock().refuse = (count, code);
    }

    /// Always refuses this recipient with this code.
    pub fn refuse_recipient(&self, address: &str, code: u16) {
        let mut state = self.shared.lock();
        state.refused_recipients.push((address.to_owned(), code));
    }

    /// Keeps the next `count` mails and closes the connection instead of confirming them.
    pub fn drop_reply_of_next(&self, count: usize) {
        self.shared.lock().unanswered = count;
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails only when the server's thread has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the server's connections and its owner share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: watch::Sender<usize>,
    directory: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Received>,
    refuse: (usize, u16),
    refused_recipients: Vec<(String, u16)>,
    unanswered: usize,
    last_file: u64,
}

impl Shared {
    fn new(directory: Option<PathBuf>) -> Result<Self> {
        let mut state = State::default();
        if let Some(directory) = &directory {
            std::fs::create_dir_all(directory)?;
            state.last_file = last_file(directory)?;
        }
        Ok(Self {
            state: Mutex::new(state),
            arrived: watch::Sender::new(0),
            directory,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The code to refuse this recipient with, if it is to be refused.
    fn refusal(&self, recipient: &str) -> Option<u16> {
        let mut state = self.lock();
        if let Some((_, code)) = state
            .refused_recipients
            .iter()
            .find(|(a, _)| a == recipient)
        {
            return Some(*code);
        }
        let (left, code) = state.refuse;
        state.refuse = (left.checked_sub(1)?, code);
        Some(code)
    }

    /// Keeps a mail. `Ok(false)` when it is to stay unanswered.
    fn keep(&self, mail: Received) -> Result<bool> {
        let mut state = self.lock();
        if let Some(directory) = &self.directory {
            let number = state.last_file + 1;
            store(&directory.join(format!("{number:06}.eml")), &mail)?;
            state.last_file = number;
        }
        state.messages.push(mail);
        let answer = state.unanswered == 0;
        state.unanswered = state.unanswered.saturating_sub(1);
        let count = state.messages.len();
        drop(state);
        self.arrived.send_replace(count);
        Ok(answer)
    }
}

/// The highest number among files of earlier runs, so that theirs are not overwritten.
fn last_file(directory: &Path) -> Result<u64> {
    let mut last = 0;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

/// Writes the mail with its envelope in front, as a delivering server would.
fn store(file: &Path, mail: &Received) -> Result<()> {
    let mut content = format!("Return-Path: <{}>\r\n", mail.from).into_bytes();
    for recipient in &mail.to {
        content.extend_from_slice(format!("Delivered-To: {recipient}\r\n").as_bytes());
    }
    content.extend_from_slice(&mail.raw);
    std::fs::write(file, content)?;
    Ok(())
}

#[cfg(test)]
mod tests;
