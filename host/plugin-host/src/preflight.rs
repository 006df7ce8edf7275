//! Looks into a file without running it: is it whole, is it for this machine, does it say who it is.
//!
//! A truncated file that reached the dynamic linker would kill the host with a bus error, one for another machine
//! would be refused with a misleading message: both end here.

use std::{fs::File, io::Read, mem, path::Path};

use motey_plugin_abi::{ABI, MANIFEST_SECTION};
use motey_plugin_ops::{Category, Manifest};
use object::{
    Endianness, elf,
    read::elf::{FileHeader, ProgramHeader, SectionHeader},
};
use serde_json::Value;

use crate::{
    reason::{Reason, code},
    version::Version,
};

#[cfg(target_pointer_width = "64")]
type Native = elf::FileHeader64<Endianness>;
#[cfg(target_pointer_width = "32")]
type Native = elf::FileHeader32<Endianness>;

const MACHINE: elf::Machine = if cfg!(target_arch = "x86_64") {
    elf::EM_X86_64
} else if cfg!(target_arch = "aarch64") {
    elf::EM_AARCH64
} else if cfg!(target_arch = "arm") {
    elf::EM_ARM
} else if cfg!(target_arch = "riscv64") {
    elf::EM_RISCV
} else {
    panic!("name this architecture's ELF machine here")
};

/// Even a plugin with debug information is a tenth of this.
const LARGEST: u64 = 512 << 20;

/// What is known of a plugin before it runs.
#[derive(Debug, Clone)]
pub struct Preflight {
    pub manifest: Manifest,
    /// The section's bytes: the plugin's code must say the very same.
    pub section: Vec<u8>,
}

/// Checks the file's form, machine, wholeness and manifest.
pub fn preflight(path: &Path) -> Result<Preflight, Reason> {
    let data = read(path)?;
    let named = |reason: Reason| Reason { text: format!("{} {}", path.display(), reason.text), ..reason };
    let section = manifest_section(&data).map_err(named)?.to_vec();
    let manifest = manifest(&section).map_err(named)?;
    Ok(Preflight { manifest, section })
}

fn read(path: &Path) -> Result<Vec<u8>, Reason> {
    let unreadable =
        |e| Reason::new(code::FILE_UNREADABLE, format!("{} cannot be read: {e}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length == 0 {
        return Err(Reason::new(code::FILE_EMPTY, format!("{} is empty: install it again", path.display())));
    }
    if length > LARGEST {
        return Err(Reason::new(code::FILE_TOO_LARGE, format!("{} is larger than 512 MiB", path.display())));
    }
    let mut data = Vec::new();
    file.take(LARGEST).read_to_end(&mut data).map_err(unreadable)?;
    Ok(data)
}

fn truncated() -> Reason {
    Reason::new(code::ELF_TRUNCATED, "ends too early, it was not copied completely: install it again")
}

fn malformed(what: &str) -> Reason {
    Reason::new(code::ELF_MALFORMED, format!("is damaged ({what}): install it again"))
}

fn manifest_section(data: &[u8]) -> Result<&[u8], Reason> {
    let header = header(data)?;
    let endian = header.endian().map_err(|_| malformed("byte order"))?;
    segments_are_whole(header, endian, data)?;
    let table_end = u128::from(header.e_shoff(endian))
        + u128::from(header.e_shnum(endian)) * u128::from(header.e_shentsize(endian));
    if table_end > data.len() as u128 {
        return Err(truncated());
    }
    let sections = header.sections(endian, data).map_err(|_| malformed("section table"))?;
    let (_, section) = sections.section_by_name(endian, MANIFEST_SECTION.as_bytes()).ok_or_else(|| {
        let text =
            format!("has no section {MANIFEST_SECTION}: it is not a motey plugin, or was stripped of it");
        Reason::new(code::MANIFEST_MISSING, text)
    })?;
    section.data(endian, data).map_err(|_| truncated())
}

/// Everything that must be right before the rest of the header means anything.
fn header(data: &[u8]) -> Result<&Native, Reason> {
    if !data.starts_with(&elf::ELFMAG) {
        return Err(Reason::new(code::ELF_MAGIC, "is not a shared object: remove it, or rename it"));
    }
    let header = data.get(..mem::size_of::<Native>()).ok_or_else(truncated)?;
    let ours = if cfg!(target_pointer_width = "64") { elf::ELFCLASS64 } else { elf::ELFCLASS32 };
    if header[4] != ours.0 {
        return Err(Reason::new(code::ELF_CLASS, format!("is not for a {}-bit process", usize::BITS)));
    }
    let ours = if cfg!(target_endian = "little") { elf::ELFDATA2LSB } else { elf::ELFDATA2MSB };
    if header[5] != ours.0 {
        return Err(Reason::new(code::ELF_ENDIANNESS, "is for the other byte order"));
    }
    let header = Native::parse(data).map_err(|_| malformed("header"))?;
    let endian = header.endian().map_err(|_| malformed("byte order"))?;
    let machine = header.e_machine(endian);
    if machine != MACHINE {
        let text = format!(
            "is for ELF machine {}, this one is {} ({})",
            machine.0,
            MACHINE.0,
            std::env::consts::ARCH
        );
        return Err(Reason::new(code::ELF_MACHINE, text));
    }
    if header.e_type(endian) != elf::ET_DYN {
        return Err(Reason::new(code::ELF_TYPE, "is a program or an object file, not a shared object"));
    }
    Ok(header)
}

fn segments_are_whole(header: &Native, endian: Endianness, data: &[u8]) -> Result<(), Reason> {
    let segments = header.program_headers(endian, data).map_err(|_| truncated())?;
    let inside = |segment: &<Native as FileHeader>::ProgramHeader| {
        let (offset, size) = segment.file_range(endian);
        offset.checked_add(size).is_some_and(|end| end <= data.len() as u64)
    };
    if segments.iter().all(inside) { Ok(()) } else { Err(truncated()) }
}

/// The ABI is judged first: another one's manifest may look otherwise.
fn manifest(section: &[u8]) -> Result<Manifest, Reason> {
    let invalid =
        |what: String| Reason::new(code::MANIFEST_INVALID, format!("has an unusable manifest: {what}"));
    let value: Value = serde_json::from_slice(section).map_err(|e| invalid(e.to_string()))?;
    if value["abi"].as_u64() != Some(ABI.into()) {
        let text =
            format!("is for plugin ABI {}, this host has {ABI}: install a matching version", value["abi"]);
        return Err(Reason::new(code::ABI_VERSION, text));
    }
    let known = |name: &str| Category::ALL.iter().any(|category| category.as_str() == name);
    if let Some(category) = value["category"].as_str().filter(|name| !known(name)) {
        let text = format!("is of category `{category}`, which this host does not have");
        return Err(Reason::new(code::MANIFEST_CATEGORY, text));
    }
    let manifest: Manifest = serde_json::from_value(value).map_err(|e| invalid(e.to_string()))?;
    if !is_id(&manifest.id) {
        return Err(invalid(format!("the id `{}` is not 1 to 40 characters of a-z, 0-9 and -", manifest.id)));
    }
    if RESERVED.contains(&manifest.id.as_str()) {
        return Err(invalid(format!("the id `{}` is the host's own: choose another", manifest.id)));
    }
    if Version::parse(&manifest.version).is_none() {
        return Err(invalid(format!("the version `{}` is not dotted numbers", manifest.version)));
    }
    Ok(manifest)
}

/// Sources of capabilities that are no plugins.
const RESERVED: [&str; 2] = ["node", "rest"];

fn is_id(id: &str) -> bool {
    (1..=40).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(manifest_text: &str) -> &'static str {
        manifest(manifest_text.as_bytes()).unwrap_err().code
    }

    #[test]
    fn a_manifest_is_judged_from_the_outside_in() {
        assert_eq!(refused("[]"), code::ABI_VERSION);
        assert_eq!(refused("{"), code::MANIFEST_INVALID);
        assert_eq!(refused(r#"{"abi": 7, "kind": "future"}"#), code::ABI_VERSION);
        assert_eq!(refused(r#"{"abi": 0, "category": "scheduler"}"#), code::MANIFEST_CATEGORY);
        assert_eq!(refused(r#"{"abi": 0, "category": "val"}"#), code::MANIFEST_INVALID);
        let id = |id: &str| format!(r#"{{"abi":0,"category":"val","id":"{id}","name":"","version":"1"}}"#);
        assert_eq!(refused(&id("../x")), code::MANIFEST_INVALID);
        assert_eq!(refused(&id("")), code::MANIFEST_INVALID);
        assert_eq!(refused(&id("ok").replace(r#""1""#, r#""new""#)), code::MANIFEST_INVALID);
        assert_eq!(manifest(id("ok").as_bytes()).unwrap().id, "ok");
    }

    #[test]
    fn this_very_program_is_whole_and_no_plugin() {
        let program = std::env::current_exe().unwrap();
        assert_eq!(preflight(&program).unwrap_err().code, code::MANIFEST_MISSING);
    }
}
