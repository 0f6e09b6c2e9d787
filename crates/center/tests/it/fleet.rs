//! The Desktops page: what Desktops have told, counted, drawn, listed and exported.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::centre::{Browser, Centre, place};

const CRASHED: &str = "11111111111111111111111111111111";

/// Desktops of two versions on two platforms; one has left the newer version again.
pub async fn report(centre: &Centre) {
    let told = |installation: String, platform: &str, version: &str, reports: Value| json!({ "installation": installation, "platform": platform, "version": version, "reports": reports });
    let crashed = json!([{
        "at": "2026-11-24T08:00:00Z", "version": "1.0.0", "from": "1.1.0", "event": "returned",
        "reason": { "reason": "crashed", "status": "signal: 11 (SIGSEGV)" },
    }]);
    let unfit = json!([{
        "at": "2026-11-24T08:00:00Z", "version": "1.0.0", "from": "1.1.0", "event": "returned",
        "reason": { "reason": "own_check", "detail": "=cmd()<script>alert(1)</script> /home/anna" },
    }]);
    let mut all = vec![
        told(CRASHED.into(), "linux-x86_64", "1.0.0", crashed),
        told("2".repeat(32), "windows-x86_64", "1.0.0", unfit),
    ];
    for number in 0..60 {
        let platform = ["linux-x86_64", "windows-x86_64"][number % 2];
        all.push(told(
            format!("{:032x}", 0xa000 + number),
            platform,
            "1.0.0",
            json!([]),
        ));
    }
    for number in 0..5 {
        all.push(told(
            format!("{:032x}", 0xb000 + number),
            "linux-x86_64",
            "1.1.0",
            json!([]),
        ));
    }
    let client = reqwest::Client::new();
    for told in all {
        let answer = client
            .post(centre.url("/desktop/v1/report"))
            .json(&told)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
}

async fn keep(anna: &Browser, kept: &str, used: &str, keep: &str) -> StatusCode {
    let fields = [
        ("default_language", "en"),
        ("smtp_port", "587"),
        ("desktops_kept", kept),
        ("desktops_used_days", used),
        ("desktops_keep_days", keep),
    ];
    anna.post("/settings", &fields).await.status()
}

#[tokio::test]
async fn an_administrator_sees_which_desktops_are_out_there_and_what_went_wrong() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let empty = anna.page("/desktops").await;
    assert!(empty.contains("No Desktop has reported yet"));
    assert!(!empty.contains("<svg viewBox=\"0 0 300 1000\""));
    report(&centre).await;
    let page = anna.page("/desktops").await;
    // In use, in the server's version, gone back; versions by platform; the chart and its table.
    assert!(page.contains("<b>67</b>") && page.contains("<b>62</b>") && page.contains("<b>2</b>"));
    assert!(page.contains("windows-x86_64: 31") && page.contains("linux-x86_64: 5"));
    assert_eq!(
        page.matches("<path class=\"series s").count(),
        4,
        "two columns, two keys"
    );
    assert!(page.contains("<td>62</td><td>5</td><td>67</td>"), "{page}");
    assert!(page.contains("It ended by itself soon after its start (signal: 11 (SIGSEGV))."));
    assert!(page.contains("1–50 of 67"));
    let second = anna.page("/desktops?page=2").await;
    assert!(second.contains("51–67 of 67"));
    let gone = anna.page("/desktops?standing=returned").await;
    assert!(gone.contains("1–2 of 2") && gone.contains(CRASHED));
    let found = anna.page("/desktops?search=b003").await;
    assert!(
        found.contains("1–1 of 1")
            && found.contains("As the server") == page.contains("As the server")
    );
    let none = anna.page("/desktops?search=%3Cscript%3E").await;
    assert!(none.contains("No installations match") && !none.contains("\"<script>"));
    let czech = Browser::new(&centre, "cs");
    czech
        .sign_in(crate::centre::EMAIL, crate::centre::PASSWORD)
        .await;
    assert!(czech.page("/desktops").await.contains("Desktop"));
}

#[tokio::test]
async fn the_list_of_desktops_is_exported_as_it_is_shown_and_harms_no_spreadsheet() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    assert_eq!(
        keep(&anna, "details", "30", "400").await,
        StatusCode::SEE_OTHER
    );
    report(&centre).await;
    let answer = anna.get("/desktops/export").await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/csv; charset=utf-8");
    assert!(header("content-disposition").starts_with("attachment; filename=\"desktops-"));
    let all = answer.text().await.unwrap();
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines.len(), 68);
    assert!(lines[0].starts_with("installation,platform,version,first_seen,last_seen"));
    let unfit = lines
        .iter()
        .find(|line| line.contains("own_check"))
        .unwrap();
    assert!(unfit.contains(",'=cmd()"), "{unfit}");
    let page = anna.page("/desktops?standing=returned").await;
    assert!(page.contains("/desktops/export?standing=returned"));
    assert!(page.contains("&#60;script&#62;") && !page.contains("<script>alert"));
    let gone = anna.page("/desktops/export?standing=returned").await;
    assert_eq!(gone.lines().count(), 3);
}

#[tokio::test]
async fn an_administrator_decides_what_is_kept_about_desktops() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    report(&centre).await;
    let page = anna.page("/desktops?standing=returned").await;
    assert!(page.contains("Its own check failed.") && !page.contains("/home/anna"));
    for (used, kept) in [("31", "30"), ("0", "400"), ("30", "4000"), ("", "")] {
        let status = keep(&anna, "reasons", used, kept).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{used} {kept}");
    }
    let answer = anna.post("/settings", &[("smtp_port", "587")]).await;
    assert_eq!(place(&answer), "/settings?done=settings-saved");
    assert!(
        anna.page("/settings")
            .await
            .contains("value=\"reasons\" checked")
    );
    assert_eq!(
        keep(&anna, "nothing", "7", "90").await,
        StatusCode::SEE_OTHER
    );
    report(&centre).await;
    let page = anna.page("/desktops").await;
    assert!(page.contains("do not allow anything to be kept") && !page.contains(CRASHED));
    let settings = anna.page("/settings").await;
    assert!(settings.contains("value=\"nothing\" checked") && settings.contains("value=\"90\""));
}

#[tokio::test]
async fn the_welcome_page_offers_the_installer_for_the_visitors_system_first() {
    let centre = Centre::start().await;
    let visitor = Browser::new(&centre, "en");
    let nothing = visitor.page("/").await;
    assert!(
        !nothing.contains("id=\"download\""),
        "no Desktop is published"
    );

    let content: Vec<u8> = (0..200_000_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    let copy = centre.folder.path().join("desktops");
    std::fs::create_dir_all(&copy).unwrap();
    let listed = |platform: &str, name: &str| {
        std::fs::write(copy.join(name), &content).unwrap();
        json!({
            "version": "1.1.0", "platform": platform, "file_name": name, "bytes": content.len(),
            "sha256": "ab".repeat(32), "requires": { "en": "Anything <b>new</b>", "cs": "Cokoli" }, "place": name,
        })
    };
    let list = json!([
        listed("linux-x86_64", "crm.sh"),
        listed("windows-x86_64", "crm.exe")
    ]);
    std::fs::write(copy.join("installers.json"), list.to_string()).unwrap();
    let welcome = async |agent: &str| {
        let request = visitor
            .client()
            .get(centre.url("/"))
            .header("user-agent", agent);
        request.send().await.unwrap().text().await.unwrap()
    };
    let at = |page: &str, name: &str| page.find(&format!("/download/1.1.0/{name}")).unwrap();
    let windows = welcome("Mozilla/5.0 (Windows NT 10.0; Win64; x64)").await;
    assert!(at(&windows, "windows-x86_64/crm.exe") < at(&windows, "linux-x86_64/crm.sh"));
    let linux = welcome("Mozilla/5.0 (X11; Linux x86_64)").await;
    assert!(at(&linux, "linux-x86_64/crm.sh") < at(&linux, "windows-x86_64/crm.exe"));
    assert!(linux.contains(&"ab".repeat(32)) && !linux.contains("<b>new</b>"));
    let phone = welcome("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile").await;
    assert!(!phone.contains("button main big\" href=\"/download"));

    let address = "/download/1.1.0/linux-x86_64/crm.sh";
    let whole = visitor.get(address).await;
    let header = |name: &str| whole.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"crm.sh\""
    );
    let tag = header("etag");
    assert_eq!(whole.bytes().await.unwrap(), content);
    let rest = visitor
        .client()
        .get(centre.url(address))
        .header("range", "bytes=150000-")
        .header("if-range", tag)
        .send()
        .await
        .unwrap();
    assert_eq!(rest.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(rest.bytes().await.unwrap(), content[150_000..]);
    std::fs::remove_file(copy.join("crm.sh")).unwrap();
    assert!(
        !visitor.page("/").await.contains("crm.sh"),
        "its file is away"
    );
    assert_eq!(visitor.get(address).await.status(), StatusCode::NOT_FOUND);
}
