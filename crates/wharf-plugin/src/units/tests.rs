use super::*;

#[test]
fn sizes_are_read_and_written_without_loss() {
    for (text, bytes) in [
        ("0B", 0),
        ("100B", 100),
        ("512KiB", 524_288),
        ("64MiB", 67_108_864),
        ("1GiB", 1_073_741_824),
        ("16777215TiB", 16_777_215 << 40),
    ] {
        let size: ByteSize = text.parse().unwrap();
        assert_eq!(size.bytes(), bytes, "{text}");
        assert_eq!(size.to_string(), text);
    }
    assert_eq!(ByteSize::from_bytes(1536).to_string(), "1536B");
    assert_eq!(ByteSize::from_kib(2048).to_string(), "2MiB");
    assert_eq!("64 MiB".parse(), Ok(ByteSize::from_mib(64)));
    assert_eq!(ByteSize::from_gib(u64::MAX).bytes(), u64::MAX);
}

#[test]
fn durations_are_read_and_written_without_loss() {
    for (text, nanoseconds) in [
        ("0s", 0),
        ("250us", 250_000),
        ("50ms", 50_000_000),
        ("1500ms", 1_500_000_000),
        ("90s", 90_000_000_000),
        ("2m", 120_000_000_000),
        ("1h", 3_600_000_000_000),
        ("0.001us", 1),
    ] {
        let duration = parse_duration(text).unwrap();
        assert_eq!(duration, Duration::from_nanos(nanoseconds), "{text}");
        assert_eq!(format_duration(duration), text);
    }
    assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
    assert_eq!(parse_duration("0.25h"), Ok(Duration::from_secs(900)));
    assert_eq!(
        parse_duration("1.00000000000000000000000000000001s"),
        Ok(Duration::from_secs(1))
    );
    assert_eq!(
        parse_duration("0.9999999999999999999h"),
        Ok(Duration::from_nanos(3_599_999_999_999))
    );
}

/// The error of a text and what to do about it, as a reader sees them.
fn complaint(error: &UnitError) -> String {
    format!("{error}; {}", error.hint())
}

#[test]
fn bad_sizes_say_what_to_write() {
    let complaints: Vec<String> = [
        "",
        "64",
        "MiB",
        "-1MiB",
        "64MB",
        "64 mib",
        "64Mi",
        "64parsecs",
        "1.5GiB",
        "1.GiB",
        ".5GiB",
        "1.2.3GiB",
        "99999999999999999999B",
        "99999999999999TiB",
        "6٤MiB",
    ]
    .into_iter()
    .map(|text| complaint(&text.parse::<ByteSize>().unwrap_err()))
    .collect();
    expect_test::expect![[r#"
        `` is not a size: it has no number in front; write a whole number and one of B, KiB, MiB, GiB, TiB, for example 64MiB
        `64` is not a size: the unit is missing; write `64B` for bytes, or `64MiB`
        `MiB` is not a size: it has no number in front; write a whole number and one of B, KiB, MiB, GiB, TiB, for example 64MiB
        `-1MiB` is not a size: it has no number in front; write a whole number and one of B, KiB, MiB, GiB, TiB, for example 64MiB
        `MB` is not a unit of size; did you mean `MiB`?
        `mib` is not a unit of size; did you mean `MiB`?
        `Mi` is not a unit of size; did you mean `MiB`?
        `parsecs` is not a unit of size; write a whole number and one of B, KiB, MiB, GiB, TiB, for example 64MiB
        `1.5GiB` is a fraction: a size is a whole number of its unit; write it in a smaller unit, for example 1536MiB for one and a half GiB
        `1.GiB` is not a size: it has no number in front; write a whole number and one of B, KiB, MiB, GiB, TiB, for example 64MiB
        `.5GiB` is not a size: it has no number in front; write a whole number and one of B, KiB, MiB, GiB, TiB, for example 64MiB
        `1.2.3GiB` is not a size: it has no number in front; write a whole number and one of B, KiB, MiB, GiB, TiB, for example 64MiB
        `99999999999999999999B` is larger than can be counted; write a smaller number
        `99999999999999TiB` is larger than can be counted; write a smaller number
        `٤MiB` is not a unit of size; write a whole number and one of B, KiB, MiB, GiB, TiB, for example 64MiB"#]].assert_eq(&complaints.join("\n"));
}

#[test]
fn bad_durations_say_what_to_write() {
    let complaints: Vec<String> = [
        "",
        "50",
        "soon",
        "-5s",
        "5sec",
        "5 MS",
        "1m30s",
        "5d",
        "1..5s",
        "999999999999h",
        "18446744073709551616us",
    ]
    .into_iter()
    .map(|text| complaint(&parse_duration(text).unwrap_err()))
    .collect();
    expect_test::expect![[r#"
        `` is not a duration: it has no number in front; write a number and one of us, ms, s, m, h, for example 50ms or 1.5s
        `50` is not a duration: the unit is missing; write `50ms` for milliseconds, or `50s` for seconds
        `soon` is not a duration: it has no number in front; write a number and one of us, ms, s, m, h, for example 50ms or 1.5s
        `-5s` is not a duration: it has no number in front; write a number and one of us, ms, s, m, h, for example 50ms or 1.5s
        `sec` is not a unit of duration; did you mean `s`?
        `MS` is not a unit of duration; did you mean `ms`?
        `m30s` is not a unit of duration; write a number and one of us, ms, s, m, h, for example 50ms or 1.5s
        `d` is not a unit of duration; write a number and one of us, ms, s, m, h, for example 50ms or 1.5s
        `1..5s` is not a duration: it has no number in front; write a number and one of us, ms, s, m, h, for example 50ms or 1.5s
        `999999999999h` is larger than can be counted; write a smaller number
        `18446744073709551616us` is larger than can be counted; write a smaller number"#]].assert_eq(&complaints.join("\n"));
}
