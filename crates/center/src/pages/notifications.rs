//! The outbox: every mail, how it stands, and what it says.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use obnova_text::Text;
use serde::Deserialize;

use super::paging::Paging;
use crate::app::Centre;
use crate::error::Failure;
use crate::form::Posted;
use crate::mails;
use crate::page::{self, Page};
use crate::store::outbox::{Mail, MailCounts, MailFilter, MailId, MailState, MailSummary};
use crate::store::users::parse_email;

/// Mails on one page of the list.
const PER_PAGE: u32 = 50;

/// What a mail's HTML part may do in its frame: be read. Mails style themselves, so unlike our pages theirs may.
const MAIL_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox";

#[derive(Template)]
#[template(path = "notifications.html")]
struct Notifications {
    page: Page,
    t: &'static Text,
    mails: Vec<Row>,
    tabs: Vec<Tab>,
    state: String,
    search: String,
    update: Option<u64>,
    paging: Paging,
    can_send: bool,
    /// How many failed, on the list that shows those.
    failed: u64,
    error: Option<String>,
}

struct Row {
    mail: MailSummary,
    kind: String,
    tag: &'static str,
    state: String,
    when: String,
}

struct Tab {
    address: String,
    name: String,
    count: u64,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "notification.html")]
struct Notification {
    page: Page,
    t: &'static Text,
    row: Row,
    mail: Mail,
    created: String,
    next: Option<String>,
    attachments: Vec<(String, String)>,
}

/// What the list shows.
#[derive(Deserialize, Default)]
pub struct Wanted {
    #[serde(default)]
    state: String,
    #[serde(default)]
    search: String,
    update: Option<u64>,
    page: Option<u32>,
}

/// `GET /notifications`
pub async fn list(
    page: Page,
    State(centre): State<Centre>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    show_list(page, &centre, wanted, None).await
}

async fn show_list(
    page: Page,
    centre: &Centre,
    wanted: Wanted,
    error: Option<String>,
) -> Result<Response, Failure> {
    let store = centre.store();
    let filter = MailFilter {
        state: MailState::from_name(&wanted.state),
        update: wanted.update,
        search: wanted.search.clone(),
        offset: Paging::offset(wanted.page, PER_PAGE),
        limit: PER_PAGE,
    };
    let found = store.mails(&filter).await?;
    let update = wanted
        .update
        .map(|update| update.to_string())
        .unwrap_or_default();
    let kept = [
        ("state", wanted.state.as_str()),
        ("search", &wanted.search),
        ("update", &update),
    ];
    let counts = store.mail_counts().await?;
    page::html(&Notifications {
        t: page.t(),
        failed: if filter.state == Some(MailState::Failed) {
            counts.failed
        } else {
            0
        },
        paging: Paging::new("/notifications", &kept, wanted.page, PER_PAGE, found.total),
        mails: found
            .items
            .into_iter()
            .map(|mail| row(&page, mail))
            .collect(),
        tabs: tabs(page.t(), counts, &wanted.state),
        state: wanted.state,
        search: wanted.search,
        update: wanted.update,
        can_send: store.settings().await?.can_send(),
        error,
        page,
    })
}

/// `GET /notifications/{id}`
pub async fn show(
    page: Page,
    State(centre): State<Centre>,
    Path(id): Path<MailId>,
) -> Result<Response, Failure> {
    let mail = find(&centre, id).await?;
    let summary = mail.summary.clone();
    page::html(&Notification {
        t: page.t(),
        created: page.moment(&summary.created),
        next: (summary.state == MailState::Waiting).then(|| page.moment(&summary.next_attempt)),
        attachments: mail
            .attachments
            .iter()
            .map(|file| (file.name.clone(), page.bytes(&(file.content.len() as u64))))
            .collect(),
        row: row(&page, summary),
        mail,
        page,
    })
}

/// `GET /notifications/{id}/html`: the HTML part alone, for the frame on its page.
pub async fn html_part(
    State(centre): State<Centre>,
    Path(id): Path<MailId>,
) -> Result<Response, Failure> {
    let mail = find(&centre, id).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, MAIL_POLICY),
    ];
    Ok((headers, mail.html).into_response())
}

/// `POST /notifications/{id}/resend`
pub async fn resend(
    State(centre): State<Centre>,
    Path(id): Path<MailId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let mail = find(&centre, id).await?;
    let sent = centre.store().resend(id).await?;
    let detail = format!("{} to {}", mail.summary.subject, mail.summary.recipient);
    centre
        .store()
        .audit(&posted.session.email, "mail-resent", &detail)
        .await?;
    Ok(Redirect::to(&format!("/notifications/{sent}?done=mail-resent")).into_response())
}

/// `POST /notifications/resend-failed`: all of them, once the mail server is right again.
pub async fn resend_failed(
    State(centre): State<Centre>,
    posted: Posted,
) -> Result<Response, Failure> {
    let count = centre.store().resend_failed().await?;
    centre
        .store()
        .audit(&posted.session.email, "mail-resent", &count.to_string())
        .await?;
    Ok(Redirect::to(&format!("/notifications?done=mails-resent&count={count}")).into_response())
}

/// `POST /notifications/test`
pub async fn test(
    page: Page,
    State(centre): State<Centre>,
    posted: Posted,
) -> Result<Response, Failure> {
    let to = posted.fields.text("to");
    if parse_email(to).is_err() {
        let error = page.t().get("fault-email-invalid");
        let answer = show_list(page, &centre, Wanted::default(), Some(error)).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, answer).into_response());
    }
    let sent = mails::send_test(centre.store(), to, posted.session.lang)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    centre
        .store()
        .audit(&posted.session.email, "test-mail-sent", to)
        .await?;
    Ok(Redirect::to(&format!("/notifications/{sent}?done=mail-queued")).into_response())
}

async fn find(centre: &Centre, id: MailId) -> Result<Mail, Failure> {
    centre.store().mail(id).await?.ok_or(Failure::NotFound)
}

fn row(page: &Page, mail: MailSummary) -> Row {
    let t = page.t();
    Row {
        kind: t.get(&format!("mail-kind-{}", mail.kind.replace('_', "-"))),
        tag: match mail.state {
            MailState::Sent => "good",
            MailState::Failed => "bad",
            MailState::Waiting if mail.attempts > 0 => "warn",
            MailState::Waiting | MailState::Sending => "",
        },
        state: t.get(&format!("mail-state-{}", mail.state.as_str())),
        when: page.moment(&mail.sent.unwrap_or(mail.created)),
        mail,
    }
}

fn tabs(t: &Text, counts: MailCounts, current: &str) -> Vec<Tab> {
    let all = counts.waiting + counts.sending + counts.sent + counts.failed;
    let tab = |state: &str, count| Tab {
        address: match state {
            "" => "/notifications".to_owned(),
            state => format!("/notifications?state={state}"),
        },
        name: match state {
            "" => t.get("mail-state-all"),
            state => t.get(&format!("mail-state-{state}")),
        },
        count,
        is_current: state == current,
    };
    vec![
        tab("", all),
        tab("waiting", counts.waiting + counts.sending),
        tab("sent", counts.sent),
        tab("failed", counts.failed),
    ]
}
