//! The body of every response: whole, streamed from a provider, or made by the control API.

use super::heartbeat::Beating;
use super::large::LargeAnswer;
use super::overdue::Watched;
use super::stream::AnswerStream;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use std::pin::Pin;
use std::task::{Context, Poll};

pub enum ResponseBody {
    Whole(Full<Bytes>),
    Stream(Watched<AnswerStream>),
    Large(Watched<LargeAnswer>),
    /// One of the others, with beats in its pauses.
    Beating(Box<Beating<ResponseBody>>),
    Control(axum::body::Body),
}

impl ResponseBody {
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(bytes.into()))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            Self::Stream(body) => {
                let next = body.with(|answer| answer.poll_next(context));
                next.map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Large(body) => {
                let next = body.with(|answer| answer.poll_next(context));
                next.map(|next| next.map(|bytes| bytes.map(Frame::data).map_err(axum::Error::new)))
            }
            Self::Beating(body) => body.poll_frame(context),
            Self::Control(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Stream(_) | Self::Large(_) | Self::Beating(_) => false,
            Self::Control(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Stream(_) | Self::Large(_) | Self::Beating(_) => SizeHint::default(),
            Self::Control(body) => body.size_hint(),
        }
    }
}
