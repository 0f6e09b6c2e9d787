//! Bodies of answers, and the moment at which a request ends.
//!
//! A request is in flight until the application's response body has ended, or until one side failed: the application's
//! connection broke, or the client went away, and then the application's connection is closed before the request stops to count.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use crate::gate::Flight;
use crate::upstream::Sender;

/// The body of an answer.
pub(crate) enum Body {
    /// One of the front's own.
    Own(Full<Bytes>),
    /// The application's, on its way through.
    Passed(Box<Passed>),
}

/// The application's response body, as it streams through.
pub(crate) struct Passed {
    incoming: Option<Incoming>,
    /// The connection and the request that it carries, until the body ends.
    open: Option<(Sender, Flight)>,
    /// For a response that would never end: resolves when it must.
    cut: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Body {
    /// A body of the front's own.
    pub(crate) fn own(bytes: impl Into<Bytes>) -> Body {
        Body::Own(Full::new(bytes.into()))
    }

    /// The application's body; `endless` when it is cut by the next order.
    pub(crate) fn passed(
        incoming: Incoming,
        sender: Sender,
        mut flight: Flight,
        endless: bool,
    ) -> Body {
        if endless {
            flight.set_endless();
        }
        let cut = endless.then(|| Box::pin(flight.upstream().until_cut()) as Pin<Box<_>>);
        let mut passed = Passed {
            incoming: Some(incoming),
            open: Some((sender, flight)),
            cut: cut.map(|cut| cut as _),
        };
        passed.close_if_ended();
        Body::Passed(Box::new(passed))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Body::Own(full) => Pin::new(full)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Body::Passed(passed) => passed.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Own(full) => full.is_end_stream(),
            Body::Passed(passed) => passed.has_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Own(full) => full.size_hint(),
            Body::Passed(passed) => passed
                .incoming
                .as_ref()
                .map_or(SizeHint::with_exact(0), HttpBody::size_hint),
        }
    }
}

impl Passed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(cut) = &mut self.cut
            && cut.as_mut().poll(cx).is_ready()
        {
            self.abandon();
        }
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(incoming).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(_))) => self.close_if_ended(),
            Poll::Ready(Some(Err(_))) => self.abandon(),
            Poll::Ready(None) => self.close(),
            Poll::Pending => {}
        }
        polled
    }

    fn has_ended(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn close_if_ended(&mut self) {
        if self.has_ended() {
            self.close();
        }
    }

    /// The body has ended: the connection is free for the next request.
    fn close(&mut self) {
        if let Some((sender, flight)) = self.open.take() {
            flight.upstream().keep(sender);
        }
    }

    /// The body will not be read to its end: its connection is of no more use.
    fn abandon(&mut self) {
        self.incoming = None;
        self.cut = None;
        // A tuple is dropped in order: the connection first, then the request that it carried.
        self.open = None;
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        if self.has_ended() {
            self.close();
        } else {
            self.abandon();
        }
    }
}
