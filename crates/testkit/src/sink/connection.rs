//! Bytes to lines to the SMTP state machine of `mailin`, and its answers back.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use anyhow::{Context, Result};
use mailin::{Action, AuthMechanism, Handler, Response, Session, SessionBuilder, response};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{Received, Shared};

const LONGEST_LINE: usize = 1 << 20;

/// What every connection needs.
pub(super) struct Server {
    pub(super) shared: Arc<Shared>,
    pub(super) acceptor: Option<TlsAcceptor>,
    pub(super) from_first_byte: bool,
    pub(super) login: Option<(String, String)>,
}

impl Server {
    /// Takes connections until it is dropped.
    pub(super) async fn serve(self, listener: std::net::TcpListener) {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
            return;
        };
        let server = Arc::new(self);
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let server = server.clone();
            // A sender that breaks off is a part of the tests; there is nobody to tell.
            connections.spawn(async move { server.converse(stream).await.ok() });
            while connections.try_join_next().is_some() {}
        }
    }

    async fn converse(&self, stream: TcpStream) -> Result<()> {
        let mut session = self.session();
        if self.from_first_byte {
            let acceptor = self.acceptor.as_ref().context("no certificate")?;
            let mut stream = BufStream::new(acceptor.accept(stream).await?);
            session.tls_active();
            answer(&mut stream, &session.greeting()).await?;
            self.run(&mut session, &mut stream).await?;
            return Ok(());
        }
        let mut stream = BufStream::new(stream);
        answer(&mut stream, &session.greeting()).await?;
        if self.run(&mut session, &mut stream).await? == Next::Encrypt {
            let acceptor = self.acceptor.as_ref().context("no certificate")?;
            let encrypted = acceptor.accept(stream.into_inner()).await?;
            session.tls_active();
            self.run(&mut session, &mut BufStream::new(encrypted))
                .await?;
        }
        Ok(())
    }

    fn session(&self) -> Session<Recorder> {
        let mut builder = SessionBuilder::new("localhost");
        if self.acceptor.is_some() && !self.from_first_byte {
            builder.enable_start_tls();
        }
        if self.login.is_some() {
            builder.enable_auth(AuthMechanism::Plain);
            builder.enable_auth(AuthMechanism::Login);
            if self.acceptor.is_none() {
                builder.insecure_enable_plaintext_auth();
            }
        }
        let recorder = Recorder {
            shared: self.shared.clone(),
            login: self.login.clone(),
            from: String::new(),
            to: Vec::new(),
            raw: Vec::new(),
        };
        builder.build(IpAddr::V4(Ipv4Addr::LOCALHOST), recorder)
    }

    async fn run<S>(
        &self,
        session: &mut Session<Recorder>,
        stream: &mut BufStream<S>,
    ) -> Result<Next>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = stream.read_until(b'\n', &mut line).await?;
            if length == 0 || length > LONGEST_LINE {
                return Ok(Next::End);
            }
            let response = session.process(&line);
            if response.code == UNANSWERED {
                return Ok(Next::End);
            }
            match response.action {
                Action::NoReply => {}
                Action::Reply => answer(stream, &response).await?,
                Action::Close => {
                    answer(stream, &response).await?;
                    return Ok(Next::End);
                }
                Action::UpgradeTls => {
                    answer(stream, &response).await?;
                    return Ok(Next::Encrypt);
                }
            }
        }
    }
}

#[derive(PartialEq)]
enum Next {
    End,
    Encrypt,
}

/// Not an SMTP code: tells [`Server::run`] to close the connection without a word.
const UNANSWERED: u16 = 299;

async fn answer<S>(stream: &mut BufStream<S>, response: &Response) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bytes = Vec::new();
    response.write_to(&mut bytes)?;
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    Ok(())
}

/// Decides what is taken, and gathers it.
struct Recorder {
    shared: Arc<Shared>,
    login: Option<(String, String)>,
    from: String,
    to: Vec<String>,
    raw: Vec<u8>,
}

impl Recorder {
    fn check(&self, name: &str, password: &str) -> Response {
        match &self.login {
            Some((n, p)) if n == name && p == password => response::AUTH_OK,
            _ => response::INVALID_CREDENTIALS,
        }
    }
}

impl Handler for Recorder {
    fn rcpt(&mut self, to: &str) -> Response {
        match self.shared.refusal(to) {
            Some(code) => Response::custom(code, format!("{to} refused by the test")),
            None => response::OK,
        }
    }

    fn data_start(&mut self, _domain: &str, from: &str, _is8bit: bool, to: &[String]) -> Response {
        self.from = from.to_owned();
        self.to = to.to_vec();
        self.raw.clear();
        response::OK
    }

    fn data(&mut self, line: &[u8]) -> std::io::Result<()> {
        self.raw.extend_from_slice(line);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let mail = Received::parse(&self.from, &self.to, std::mem::take(&mut self.raw));
        match self.shared.keep(mail) {
            Ok(true) => response::OK,
            Ok(false) => Response::custom(UNANSWERED, String::new()),
            Err(error) => Response::custom(421, format!("cannot keep the mail: {error}")),
        }
    }

    fn auth_plain(&mut self, _authorization: &str, name: &str, password: &str) -> Response {
        self.check(name, password)
    }

    fn auth_login(&mut self, name: &str, password: &str) -> Response {
        self.check(name, password)
    }
}
