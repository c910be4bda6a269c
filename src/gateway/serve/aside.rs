//! Answers whose work goes on beside what the client is given meanwhile: a stream with beats while nothing comes, and an
//! answer that is fetched to its end though its client has left.

use super::{Serving, answer};
use crate::gateway::Gateway;
use crate::gateway::body::ResponseBody;
use crate::gateway::failed::Told;
use crate::gateway::headers::AnswerHeaders;
use crate::gateway::heartbeat::{Beating, Heartbeat, Work};
use crate::gateway::prepare::Prepared;
use crate::gateway::survey::Survey;
use crate::gateway::ticket::Ticket;
use http::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Longest that an answer is fetched for a client that left, under `on_disconnect: finish`.
const FINISH_WITHIN: Duration = Duration::from_secs(60);

/// What is known before the first beat is answered as ever. From then on the head is out.
pub(super) async fn beating(
    gateway: &Arc<Gateway>,
    prepared: Prepared,
    heartbeat: Heartbeat,
) -> Response<ResponseBody> {
    let (id, every) = (prepared.id.clone(), heartbeat.every);
    let mut work: Work<ResponseBody> = Box::pin(answer(gateway.clone(), prepared));
    tokio::select! {
        biased;
        response = &mut work => response.map(|body| match body {
            ResponseBody::Stream(_) => ResponseBody::Beating(Box::new(Beating::over(body, every))),
            other => other,
        }),
        () = sleep(every) => {
            heartbeat.send_head();
            AnswerHeaders::early(&id, ResponseBody::Beating(Box::new(Beating::awaiting(work, every))))
        }
    }
}

/// The work goes on without the client, for a while, and is settled by what it used.
pub(super) async fn finish_alone(
    gateway: &Arc<Gateway>,
    prepared: Prepared,
    survey: Survey,
    ticket: Ticket,
) -> Response<ResponseBody> {
    let serving = Serving::new(gateway, prepared, survey, ticket);
    let (answer, mut answered) = tokio::sync::oneshot::channel();
    let cut = gateway.cut.clone();
    gateway.tasks.spawn(cut.run_until_cancelled_owned(async move {
        let mut work = std::pin::pin!(serving.run());
        let mut answer = answer;
        tokio::select! {
            response = &mut work => {
                // Nobody may be there to take it; it is settled all the same.
                let _ = answer.send(response);
                return;
            }
            () = answer.closed() => {}
        }
        let _ = tokio::time::timeout(FINISH_WITHIN, work).await;
    }));
    match (&mut answered).await {
        Ok(response) => response,
        Err(_) => Told::new(
            http::StatusCode::BAD_GATEWAY,
            "server_error",
            "upstream_error",
            "planb is stopping",
        )
        .response(),
    }
}
