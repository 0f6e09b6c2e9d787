//! The list of users: the people who get mails, and the administrators who sign in here.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use obnova_text::Text;
use serde::Deserialize;

use super::paging::Paging;
use crate::app::Centre;
use crate::error::Failure;
use crate::page::{Page, html};
use crate::store::groups::{Group, GroupId};
use crate::store::users::{User, UserFilter};

/// Users on one page of the list.
const PER_PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    page: Page,
    t: &'static Text,
    search: String,
    group: Option<GroupId>,
    groups: Vec<Group>,
    users: Vec<Row>,
    paging: Paging,
}

impl UsersPage {
    fn shows(&self, group: &GroupId) -> bool {
        self.group.as_ref() == Some(group)
    }
}

struct Row {
    user: User,
    groups: Vec<String>,
}

/// What the list shows.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    search: String,
    #[serde(default)]
    group: String,
    page: Option<u32>,
}

/// `GET /users`
pub async fn list(
    page: Page,
    State(centre): State<Centre>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let store = centre.store();
    let group = wanted.group.parse().ok();
    let filter = UserFilter {
        search: wanted.search.clone(),
        group,
        active: None,
        offset: Paging::offset(wanted.page, PER_PAGE),
        limit: PER_PAGE,
    };
    let found = store.users(&filter).await?;
    let groups = store.groups().await?;
    let mut users = Vec::with_capacity(found.items.len());
    for user in found.items {
        let of = store.groups_of(user.id).await?;
        let names = groups.iter().filter(|group| of.contains(&group.id));
        users.push(Row {
            groups: names.map(|group| group.identifier.clone()).collect(),
            user,
        });
    }
    let paging = Paging::new(
        "/users",
        &[("search", &wanted.search), ("group", &wanted.group)],
        wanted.page,
        PER_PAGE,
        found.total,
    );
    html(&UsersPage {
        t: page.t(),
        search: wanted.search,
        group,
        groups,
        users,
        paging,
        page,
    })
}
