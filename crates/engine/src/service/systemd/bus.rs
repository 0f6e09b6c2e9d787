//! Questions and orders to systemd over the system's message bus: org.freedesktop.systemd1(5).

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::connection::Builder;
use zbus::{Connection, OwnedVariant, Type, Variant};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "/org/freedesktop/systemd1";
const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";
/// How long one answer may take.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// How long a question is asked again when the bus has gone: it is being restarted, most likely.
const BUS_PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum BusError {
    /// The unit is not loaded: nothing of it runs.
    #[error("systemd knows no such unit")]
    NoSuchUnit,
    /// systemd said no.
    #[error("{0}")]
    Refused(String),
    /// Nobody could be asked.
    #[error("systemd cannot be reached over the system's D-Bus: {0}")]
    Unreachable(String),
}

impl From<zbus::Error> for BusError {
    fn from(error: zbus::Error) -> BusError {
        match error {
            zbus::Error::MethodError(name, ..) if name.as_str() == NO_SUCH_UNIT => {
                BusError::NoSuchUnit
            }
            zbus::Error::MethodError(..) => BusError::Refused(error.to_string()),
            zbus::Error::FDO(inner) if !matches!(*inner, zbus::fdo::Error::ZBus(_)) => {
                BusError::Refused(inner.to_string())
            }
            other => BusError::Unreachable(other.to_string()),
        }
    }
}

/// A connection that is made when it is needed, and made again when the bus was restarted.
pub(super) struct Bus {
    link: Mutex<Option<Link>>,
}

/// The connection goes before the run time that its tasks live in.
struct Link {
    connection: Connection,
    runtime: tokio::runtime::Runtime,
}

impl Bus {
    pub(super) fn new() -> Bus {
        Bus {
            link: Mutex::new(None),
        }
    }

    /// Asks the manager something; asked again while the bus is away.
    pub(super) fn ask<B, R>(&self, method: &str, body: &B) -> Result<R, BusError>
    where
        B: Serialize + Type,
        R: DeserializeOwned + Type,
    {
        let interface = "org.freedesktop.systemd1.Manager";
        patiently(|| self.call(MANAGER, interface, method, body))
    }

    /// Orders the manager something; not repeated, since it may have been heard.
    pub(super) fn order<B: Serialize + Type>(
        &self,
        method: &str,
        body: &B,
    ) -> Result<(), BusError> {
        let interface = "org.freedesktop.systemd1.Manager";
        self.send(MANAGER, interface, method, body).map(|_| ())
    }

    /// A property of the manager, a unit or a service.
    pub(super) fn property<T>(&self, path: &str, kind: &str, name: &str) -> Result<T, BusError>
    where
        T: TryFrom<OwnedVariant>,
        T::Error: std::fmt::Display,
    {
        let interface = format!("{SYSTEMD}.{kind}");
        let body = (interface.as_str(), name);
        let value: OwnedVariant =
            patiently(|| self.call(path, "org.freedesktop.DBus.Properties", "Get", &body))?;
        T::try_from(value).map_err(|error| BusError::Refused(format!("{name}: {error}")))
    }

    /// A property of the manager itself.
    pub(super) fn of_manager<T>(&self, name: &str) -> Result<T, BusError>
    where
        T: TryFrom<OwnedVariant>,
        T::Error: std::fmt::Display,
    {
        self.property(MANAGER, "Manager", name)
    }

    fn call<B, R>(&self, path: &str, interface: &str, method: &str, body: &B) -> Result<R, BusError>
    where
        B: Serialize + Type,
        R: DeserializeOwned + Type,
    {
        let answer = self.send(path, interface, method, body)?;
        let body = answer.body();
        body.deserialize::<R>().map_err(BusError::from)
    }

    fn send<B: Serialize + Type>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<zbus::Message, BusError> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match link.take() {
            Some(open) => open,
            None => Link::open()?,
        };
        let answer = open.wait(open.connection.call_method(
            Some(SYSTEMD),
            path,
            Some(interface),
            method,
            body,
        ));
        let answer = answer.map_err(BusError::from);
        // One that may be broken is not used again.
        if !matches!(answer, Err(BusError::Unreachable(_))) {
            *link = Some(open);
        }
        answer
    }
}

impl Link {
    fn open() -> Result<Link, BusError> {
        let unreachable = |error: std::io::Error| BusError::Unreachable(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(unreachable)?;
        let connection = runtime.block_on(async {
            let building = Builder::system().method_timeout(ANSWER_PATIENCE).build();
            match tokio::time::timeout(ANSWER_PATIENCE, building).await {
                Ok(connection) => connection.map_err(BusError::from),
                Err(_) => Err(BusError::Unreachable("no answer in time".to_owned())),
            }
        })?;
        Ok(Link {
            connection,
            runtime,
        })
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

fn patiently<R>(mut ask: impl FnMut() -> Result<R, BusError>) -> Result<R, BusError> {
    let until = Instant::now() + BUS_PATIENCE;
    loop {
        match ask() {
            Err(BusError::Unreachable(_)) if Instant::now() < until => sleep(PAUSE),
            answer => return answer,
        }
    }
}

/// A property as StartTransientUnit takes it.
pub(super) type Property = (&'static str, Variant<'static>);
