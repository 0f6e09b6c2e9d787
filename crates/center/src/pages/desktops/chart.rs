//! How many Desktops had which version, day by day: columns drawn here, with no script, and the same figures as a table. Letters
//! are outside of the drawing, so that they stay readable however small it is.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use semver::Version;

use crate::error::Failure;
use crate::page::Page;
use crate::store::Store;
use crate::store::desktops::overview::OfVersion;

/// Versions that have a colour of their own; the rest is one.
const OWN: usize = 6;
/// Height and width of the drawing's one column, in its own units; the page stretches it.
const HEIGHT: u64 = 1000;
const COLUMN: usize = 10;

/// How far back the chart looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Span {
    /// A month.
    #[default]
    Month,
    /// A quarter.
    Quarter,
    /// A year, of which every seventh day is shown.
    Year,
}

impl Span {
    /// All of them, as they are offered.
    pub const ALL: [Self; 3] = [Self::Month, Self::Quarter, Self::Year];

    /// Its name in addresses: days.
    pub fn name(self) -> &'static str {
        match self {
            Self::Month => "30",
            Self::Quarter => "90",
            Self::Year => "365",
        }
    }

    fn days(self) -> i32 {
        match self {
            Self::Month => 30,
            Self::Quarter => 90,
            Self::Year => 365,
        }
    }

    fn step(self) -> i32 {
        if self == Self::Year { 7 } else { 1 }
    }
}

/// The drawing and its table.
pub struct Chart {
    /// How far back.
    pub span: Span,
    /// The drawing's width in its own units.
    pub width: usize,
    /// The versions, oldest first: at the bottom.
    pub series: Vec<Series>,
    /// What is at the top, in the middle.
    pub top: String,
    /// Half of it.
    pub middle: String,
    /// The days at the left, in the middle, at the right.
    pub dates: [String; 3],
    /// The table, newest day first: a day, its counts in the order of the series, their sum.
    pub rows: Vec<(String, Vec<String>, String)>,
}

/// One version.
pub struct Series {
    /// The number of its colour.
    pub colour: usize,
    /// Its name.
    pub name: String,
    /// Its columns, as a path.
    pub path: String,
}

/// The counts of one day, by version.
type Counts = BTreeMap<Option<Version>, u64>;

impl Chart {
    /// Draws what is kept of the days before today, and `now` for today.
    pub async fn draw(
        page: &Page,
        store: &Store,
        span: Span,
        now: &[OfVersion],
    ) -> Result<Self, Failure> {
        let today = Timestamp::now().to_zoned(TimeZone::system()).date();
        let first = today.saturating_sub((span.days() - 1).days());
        let mut by_day: BTreeMap<Date, Counts> = BTreeMap::new();
        for count in store.desktop_days(first).await? {
            *of(&mut by_day, count.day, count.version.as_deref()) += count.desktops;
        }
        // Today's count is that of up to an hour ago; now is better known.
        by_day.insert(today, Counts::new());
        for count in now {
            *of(&mut by_day, today, count.version.as_deref()) += count.desktops;
        }
        let step = usize::try_from(span.step()).unwrap_or(1);
        let mut days: Vec<Date> = (0..span.days())
            .rev()
            .step_by(step)
            .map(|back| today.saturating_sub((span.days() - 1 - back).days()))
            .collect();
        days.reverse();
        Ok(Self::of(page, span, &days, &by_day))
    }

    fn of(page: &Page, span: Span, days: &[Date], by_day: &BTreeMap<Date, Counts>) -> Self {
        let names = named(days, by_day);
        let none = Counts::new();
        // For each day, the count of each series; the last is the rest.
        let counts: Vec<Vec<u64>> = days
            .iter()
            .map(|day| grouped(by_day.get(day).unwrap_or(&none), &names))
            .collect();
        let most = counts.iter().map(|day| day.iter().sum()).max().unwrap_or(0);
        let top = round(most);
        let has_rest = counts.iter().any(|day| day[names.len()] > 0);
        let t = page.t();
        let mut series: Vec<Series> = Vec::new();
        if has_rest {
            series.push(Series {
                colour: 0,
                name: t.get("desktops-other-versions"),
                path: path(&counts, names.len(), names.len(), top),
            });
        }
        series.extend(names.iter().enumerate().map(|(index, name)| Series {
            colour: index + 1,
            name: match name {
                Some(version) => version.to_string(),
                None => t.get("desktops-no-version"),
            },
            path: path(&counts, index, names.len(), top),
        }));
        let date = |day: &Date| crate::format::date(&day.to_string(), page.lang);
        let rows = days
            .iter()
            .zip(&counts)
            .rev()
            .filter(|(day, _)| by_day.contains_key(day));
        let rows = rows.map(|(day, counts)| {
            let rest = has_rest.then(|| counts[names.len()]);
            let cells = rest
                .into_iter()
                .chain(counts[..names.len()].iter().copied());
            let cells = cells.map(|count| page.number(&count)).collect();
            (date(day), cells, page.number(&counts.iter().sum()))
        });
        Self {
            span,
            width: days.len() * COLUMN,
            series,
            top: page.number(&top),
            middle: page.number(&(top / 2)),
            dates: [0, days.len() / 2, days.len().saturating_sub(1)]
                .map(|index| days.get(index).map(date).unwrap_or_default()),
            rows: rows.collect(),
        }
    }

    /// Whether this is how far back it looks.
    pub fn is_of(&self, span: &Span) -> bool {
        self.span == *span
    }

    /// Whether there is anything to compare.
    pub fn spans(&self) -> [Span; 3] {
        Span::ALL
    }
}

fn of<'c>(by_day: &'c mut BTreeMap<Date, Counts>, day: Date, version: Option<&str>) -> &'c mut u64 {
    let version = version.and_then(|text| text.parse().ok());
    by_day.entry(day).or_default().entry(version).or_default()
}

/// The versions that most Desktops have had, oldest first.
fn named(days: &[Date], by_day: &BTreeMap<Date, Counts>) -> Vec<Option<Version>> {
    let mut sums = Counts::new();
    for (version, count) in days.iter().filter_map(|day| by_day.get(day)).flatten() {
        *sums.entry(version.clone()).or_default() += count;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut names: Vec<_> = sums
        .into_iter()
        .take(OWN)
        .map(|(version, _)| version)
        .collect();
    names.sort();
    names
}

/// A day's counts in the order of the names, and the rest at the end.
fn grouped(counts: &Counts, names: &[Option<Version>]) -> Vec<u64> {
    let mut grouped = vec![0; names.len() + 1];
    for (version, count) in counts {
        let index = names.iter().position(|name| name == version);
        grouped[index.unwrap_or(names.len())] += count;
    }
    grouped
}

/// The columns of one series: on top of the rest, and of those before it.
fn path(counts: &[Vec<u64>], series: usize, rest: usize, top: u64) -> String {
    let mut path = String::new();
    let height = |count: u64| count * HEIGHT / top.max(1);
    for (index, day) in counts.iter().enumerate() {
        let below: u64 = match series == rest {
            true => 0,
            false => day[rest] + day[..series].iter().sum::<u64>(),
        };
        let (low, high) = (height(below), height(below + day[series]));
        if high > low {
            let (x, y, width) = (index * COLUMN + 1, HEIGHT - high, COLUMN - 2);
            // A String takes everything.
            let _ = write!(path, "M{x} {y}h{width}v{}h-{width}z", high - low);
        }
    }
    path
}

/// The next larger figure that can be halved and read at a glance.
fn round(most: u64) -> u64 {
    let mut unit = 1;
    while unit * 10 < most {
        unit *= 10;
    }
    let fits = [2, 4, 6, 8, 10]
        .into_iter()
        .map(|it| it * unit)
        .find(|it| *it >= most);
    fits.unwrap_or(unit * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_of_the_chart_is_a_round_number_that_holds_everything() {
        for (most, top) in [
            (0, 2),
            (1, 2),
            (2, 2),
            (3, 4),
            (11, 20),
            (50, 60),
            (100, 100),
            (4_812, 6_000),
        ] {
            assert_eq!(round(most), top, "{most}");
        }
    }

    #[test]
    fn columns_stand_on_each_other() {
        let counts = vec![vec![1, 2, 1], vec![0, 0, 0], vec![4, 0, 0]];
        assert_eq!(path(&counts, 2, 2, 4), "M1 750h8v250h-8z", "the rest");
        assert_eq!(path(&counts, 0, 2, 4), "M1 500h8v250h-8zM21 0h8v1000h-8z");
        assert_eq!(path(&counts, 1, 2, 4), "M1 0h8v500h-8z");
    }

    #[test]
    fn versions_beyond_the_colours_are_the_rest() {
        let day: Date = "2026-11-24".parse().unwrap();
        let counts: Counts = (0..9)
            .map(|minor| (Some(Version::new(1, minor, 0)), minor + 1))
            .collect();
        let by_day = BTreeMap::from([(day, counts)]);
        let names = named(&[day], &by_day);
        assert_eq!(names.first(), Some(&Some(Version::new(1, 3, 0))));
        assert_eq!(grouped(&by_day[&day], &names), [4, 5, 6, 7, 8, 9, 6]);
    }
}
