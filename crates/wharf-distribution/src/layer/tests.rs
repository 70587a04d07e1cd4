use std::io::Write;

use super::*;

const MOST: ByteSize = ByteSize::from_kib(64);

/// A member with its header.
fn member(name: &str, kind: u8, bytes: &[u8]) -> Vec<u8> {
    raw_member(
        name.as_bytes(),
        kind,
        format!("{:011o}\0", bytes.len()).as_bytes(),
        bytes,
    )
}

fn raw_member(name: &[u8], kind: u8, size: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut header = vec![0; BLOCK];
    header[..name.len()].copy_from_slice(name);
    header[124..124 + size.len()].copy_from_slice(size);
    header[148..156].copy_from_slice(b"        ");
    header[156] = kind;
    header[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header.extend_from_slice(bytes);
    header.resize(header.len().next_multiple_of(BLOCK), 0);
    header
}

#[track_caller]
fn refused(layer: &[u8]) -> String {
    plugin_in(layer, MOST).unwrap_err().to_string()
}

#[test]
fn plugin_wasm_counts_wherever_it_is_and_else_the_only_module() {
    let plugin = member("opt/plugin.wasm", b'0', b"right");
    let other = member("other.wasm", 0, b"other");
    let link = member("plugin.wasm", b'2', b"");
    let directory = member("x.wasm/", b'5', b"");
    assert_eq!(
        plugin_in(&[&other[..], &plugin].concat(), MOST).unwrap(),
        b"right"
    );
    assert_eq!(
        plugin_in(&[&plugin[..], &plugin].concat(), MOST).unwrap(),
        b"right"
    );
    assert_eq!(
        plugin_in(&[&link[..], &directory, &other].concat(), MOST).unwrap(),
        b"other"
    );
    assert_eq!(
        refused(&link),
        "the last layer has neither `plugin.wasm` nor another `.wasm` file"
    );
    let many: Vec<u8> = (0..6)
        .flat_map(|n| member(&format!("{n}.wasm"), b'0', b"x"))
        .collect();
    assert_eq!(
        refused(&many),
        "the last layer has several `.wasm` files (0.wasm, 1.wasm, 2.wasm, 3.wasm), and none is `plugin.wasm`"
    );
}

#[test]
fn zstd_may_have_several_frames() {
    let whole = [member("a.txt", b'0', b"x"), member("plugin.wasm", b'0', b"right")].concat();
    let frame =
        |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
    let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    for parts in [
        vec![frame(&whole)],
        vec![frame(&whole[..700]), frame(&whole[700..])],
        vec![
            skipped.to_vec(),
            frame(&whole[..700]),
            skipped.to_vec(),
            frame(&whole[700..]),
        ],
    ] {
        assert_eq!(plugin_in(&parts.concat(), MOST).unwrap(), b"right");
    }
    let cut = [&frame(&whole[..700]), &skipped[..9]].concat();
    assert_eq!(
        refused(&cut),
        "the last layer cannot be read: unexpected end of file"
    );
}

/// Gives bytes, and leaves others behind them in the buffer, as decoders may.
struct Scribbling<'a>(&'a [u8]);

impl Read for Scribbling<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(0x41);
        self.0.read(buffer)
    }
}

#[test]
fn what_a_decoder_leaves_behind_is_not_read() {
    let end = [0; 28];
    let layer = [
        &member("plugin.txt", b'0', b"x"),
        &member("a.wasm", b'0', b"right"),
        &end[..],
    ]
    .concat();
    assert_eq!(search(Scribbling(&layer), MOST).unwrap(), b"right");
}

#[test]
fn names_that_do_not_fit_a_header_are_read() {
    let long = format!("{}/plugin.wasm", "d".repeat(200));
    let record = format!(" path={long}\n");
    let record = format!("{}{record}", record.len() + 3);
    let pax = [
        member("pax", b'x', record.as_bytes()),
        member("short", b'0', b"right"),
    ]
    .concat();
    assert_eq!(plugin_in(&pax, MOST).unwrap(), b"right");
    let gnu = [
        member("././@LongLink", b'L', format!("{long}\0").as_bytes()),
        member("short", b'0', b"right"),
    ]
    .concat();
    assert_eq!(plugin_in(&gnu, MOST).unwrap(), b"right");
    let global = [
        member("global", b'g', b"12 comment=x\n"),
        member("plugin.wasm", b'0', b"right"),
    ]
    .concat();
    assert_eq!(plugin_in(&global, MOST).unwrap(), b"right");
}

#[test]
fn nothing_is_read_beyond_its_bound() {
    let large = member("plugin.wasm", b'0', &vec![0; MOST.as_usize() + 1]);
    assert_eq!(
        refused(&large),
        "the plugin in the last layer has more than 64KiB"
    );
    let liar = raw_member(b"plugin.wasm", b'0', b"77777777777\0", b"");
    assert_eq!(refused(&liar), "the plugin in the last layer has more than 64KiB");
    let binary = raw_member(b"a.txt", b'0', &[0xff; 12], b"");
    assert_eq!(
        refused(&binary),
        "the last layer cannot be read: a member has no size"
    );
    let long = member("x", b'x', &vec![b'1'; 70_000]);
    assert_eq!(
        refused(&long),
        "the last layer cannot be read: the name of a member is too long"
    );
    let endless = member("x", b'g', b"").repeat(10);
    assert_eq!(
        refused(&endless),
        "the last layer cannot be read: too much is said of one member"
    );
    // A few bytes that are unpacked to more than a gigabyte.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let size = 1_u64 << 30;
    let header = raw_member(b"a.txt", b'0', format!("{size:011o}\0").as_bytes(), b"");
    bomb.write_all(&header).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..600 {
        bomb.write_all(&zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert_eq!(refused(&bomb), "the last layer, unpacked, has more than 512MiB");
}

#[test]
fn what_is_cut_or_changed_anywhere_is_no_panic() {
    let whole = [
        member("pax", b'x', b"19 path=plugin.txt\n"),
        member("a", b'0', b"x"),
        member("plugin.wasm", b'0', b"right"),
    ]
    .concat();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&whole).unwrap();
    for layer in [whole, encoder.finish().unwrap()] {
        for at in 0..layer.len() {
            let _ = plugin_in(&layer[..at], MOST);
            let mut changed = layer.clone();
            changed[at] ^= 0x41;
            let _ = plugin_in(&changed, MOST);
        }
    }
    let _ = plugin_in(&[0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff], MOST);
}
