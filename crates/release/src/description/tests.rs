use super::*;

const LEAST: &str = r#"
product = "crm"
name = "CRM"
version = "1.0.0"
date = "2026-11-24"
[server]
start = ["${tree}/crm"]
[[server.health]]
path = "/health"
"#;

fn refused(change: impl Fn(&str) -> String) -> String {
    let error = Description::from_toml(&change(LEAST), "vendor/release.toml").unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("vendor/release.toml"), "{text}");
    text
}

#[test]
fn what_is_left_out_has_sensible_values() {
    let description = Description::from_toml(LEAST, "x").unwrap();
    assert_eq!(description.channel, Channel::Stable);
    assert_eq!(description.from, VersionReq::STAR);
    assert_eq!(description.database, DatabaseChange::None);
    assert_eq!(description.server.check, None);
    assert_eq!(description.server.stop.seconds, 30);
    assert_eq!(description.server.health[0].status, 200);
}

#[test]
fn the_signed_form_holds_the_same_facts_and_is_always_the_same() {
    let description = Description::from_toml(LEAST, "x").unwrap();
    let json = description.to_json().unwrap();
    let again = Description::from_json(&json, "x").unwrap();
    assert_eq!(again, description);
    assert_eq!(again.to_json().unwrap(), json);
}

#[test]
fn a_check_is_kept_in_the_signed_form_and_absent_where_there_is_none() {
    let plain = Description::from_toml(LEAST, "x").unwrap();
    let json = String::from_utf8(plain.to_json().unwrap()).unwrap();
    assert!(!json.contains("\"check\""), "{json}");
    let toml = LEAST.replace(
        "[[server",
        "check = [\"${tree}/check\", \"${port}\"]\n[[server",
    );
    let description = Description::from_toml(&toml, "x").unwrap();
    let json = description.to_json().unwrap();
    let again = Description::from_json(&json, "x").unwrap();
    assert_eq!(again.server.check.unwrap(), ["${tree}/check", "${port}"]);
}

#[test]
fn a_date_may_be_written_without_quotes() {
    let native = LEAST.replace("\"2026-11-24\"", "2026-11-24");
    assert_eq!(
        Description::from_toml(&native, "x").unwrap(),
        Description::from_toml(LEAST, "x").unwrap()
    );
}

#[test]
fn errors_name_the_file_and_the_key() {
    let text = refused(|toml| toml.replace("name = ", "nmae = "));
    assert!(text.contains("nmae"), "{text}");
    let text = refused(|toml| toml.replace("${tree}", "${home}"));
    assert!(
        text.contains("server.start[0]") && text.contains("home"),
        "{text}"
    );
    let text = refused(|toml| toml.replace("[[server", "check = [\"sh\", \"${host}\"]\n[[server"));
    assert!(
        text.contains("server.check[1]") && text.contains("host"),
        "{text}"
    );
    let text = refused(|toml| toml.replace("[[server", "check = []\n[[server"));
    assert!(text.contains("server.check: must begin"), "{text}");
    let text = refused(|toml| toml.replace("[[server", "neutralise = [\"${dat}\"]\n[[server"));
    assert!(
        text.contains("server.neutralise[0]") && text.contains("dat"),
        "{text}"
    );
    let text = refused(|toml| toml.replace("\"/health\"", "\"health\""));
    assert!(text.contains("server.health[0].path"), "{text}");
    let text = refused(|toml| format!("{toml}[database]\nchange = \"migrate\"\n"));
    assert!(text.contains("server.migrate"), "{text}");
    let text = refused(|toml| format!("{toml}[database]\nchange = \"none\"\nmore = 1\n"));
    assert!(text.contains("more"), "{text}");
    let text = refused(|toml| format!("{toml}[notes]\nde = \"Neu\"\n"));
    assert!(text.contains("notes.de"), "{text}");
}

#[test]
fn a_program_that_neutralises_copies_travels_with_the_release() {
    let with = |toml: &str| toml.replace("[[server", "neutralise = [\"${tree}/mute\"]\n[[server");
    let description = Description::from_toml(&with(LEAST), "x").unwrap();
    let json = description.to_json().unwrap();
    let read = Description::from_json(&json, "x").unwrap();
    assert_eq!(read.server.neutralise.unwrap(), ["${tree}/mute"]);
}

#[test]
fn a_release_of_a_later_format_is_not_guessed_at() {
    let description = Description::from_toml(LEAST, "x").unwrap();
    let json = String::from_utf8(description.to_json().unwrap()).unwrap();
    let later = json.replace("\"format\":1", "\"format\":2");
    let error = Description::from_json(later.as_bytes(), "x").unwrap_err();
    assert!(error.to_string().contains("update Obnova"), "{error}");
}

#[test]
fn a_version_whose_directory_would_be_another_one_s_record_is_refused() {
    let text = refused(|toml| toml.replace("\"1.0.0\"", "\"1.0.0-a.json\""));
    assert!(text.contains(".json"), "{text}");
    let fine = LEAST.replace("\"1.0.0\"", "\"1.0.0-json\"");
    Description::from_toml(&fine, "x").unwrap();
}
