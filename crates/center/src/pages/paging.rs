//! Which part of a long list is shown, and the links to its neighbours.

/// The page of a list.
pub struct Paging {
    /// The first entry's number, from 1.
    pub first: u64,
    /// The last entry's number.
    pub last: u64,
    /// Entries on all pages.
    pub total: u64,
    /// The address of the page before.
    pub before: Option<String>,
    /// The address of the page after.
    pub after: Option<String>,
}

impl Paging {
    /// How many entries come before this page; pages count from 1.
    pub fn offset(page: Option<u32>, per_page: u32) -> u32 {
        page.unwrap_or(1).saturating_sub(1).saturating_mul(per_page)
    }

    /// The page of a list with so many entries in all; `filter` is kept in the links.
    pub fn new(
        path: &str,
        filter: &[(&str, &str)],
        page: Option<u32>,
        per_page: u32,
        total: u64,
    ) -> Paging {
        let page = page.unwrap_or(1).max(1);
        let offset = u64::from(Paging::offset(Some(page), per_page));
        let last = (offset + u64::from(per_page)).min(total);
        let link = |page: u32| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(filter.iter().filter(|(_, value)| !value.is_empty()));
            query.append_pair("page", &page.to_string());
            format!("{path}?{}", query.finish())
        };
        Paging {
            first: (offset + 1).min(total),
            last,
            total,
            before: (page > 1).then(|| link(page - 1)),
            after: (last < total).then(|| link(page + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_links_keep_what_was_searched_for() {
        let paging = Paging::new(
            "/users",
            &[("search", "š & co"), ("group", "")],
            Some(2),
            50,
            120,
        );
        assert_eq!((paging.first, paging.last), (51, 100));
        assert_eq!(
            paging.after.as_deref(),
            Some("/users?search=%C5%A1+%26+co&page=3")
        );
        assert_eq!(
            paging.before.as_deref(),
            Some("/users?search=%C5%A1+%26+co&page=1")
        );
        assert!(Paging::new("/users", &[], None, 50, 0).after.is_none());
    }
}
