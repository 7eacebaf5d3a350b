//! The presets: every file of `providers/`, embedded. A preset's id is its file's name.
use crate::{Scheme, limits::PRESET_ID_BYTES_MAX};

// `PROVIDERS`: ids with their texts, sorted by id.
include!(concat!(env!("OUT_DIR"), "/providers.rs"));

/// All ids, sorted.
pub fn preset_ids() -> impl ExactSizeIterator<Item = &'static str> {
    PROVIDERS.iter().map(|(id, _)| *id)
}

/// The preset of this id, read from its embedded text.
pub fn preset(id: &str) -> Option<Scheme> {
    let place = PROVIDERS.binary_search_by_key(&id, |(known, _)| known).ok()?;
    let (_, text) = PROVIDERS.get(place)?;
    Some(serde_saphyr::from_str(text).expect("every preset is read by this crate's tests"))
}

/// The id that looks most like `id`, for "did you mean"; none when nothing is near. Case does not count.
pub fn nearest(id: &str) -> Option<&'static str> {
    if id.len() > PRESET_ID_BYTES_MAX {
        return None;
    }
    let id = id.to_ascii_lowercase();
    let (edits, known) = preset_ids().map(|known| (edits(&id, known), known)).min()?;
    (edits <= 2.max(known.len() / 3)).then_some(known)
}

/// Single-character edits (insert, delete, replace) between two texts: Levenshtein's distance, row by row.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let best = (diagonal + usize::from(x != y)).min(*cell + 1).min(left + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Handshakes, Secret, Verifier};

    #[test]
    fn every_preset_is_found_and_compiles() {
        for id in preset_ids() {
            // Base64 of the usual length, so that it suits every decoding.
            let text = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_vec().into();
            let secret = Secret { text, not_before: None, not_after: None };
            let scheme = preset(id).expect(id);
            assert_eq!(Verifier::compile(&scheme, &[secret], None).err(), None, "{id}");
            assert_eq!(Handshakes::compile(&scheme.handshakes).err(), None, "{id}");
            assert_eq!(nearest(id), Some(id));
        }
        assert!(preset_ids().is_sorted() && preset_ids().len() > 0);
        assert_eq!(preset("github.yaml"), None);
    }

    #[test]
    fn a_misspelt_id_finds_its_neighbour() {
        for (a, b, distance) in [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("ä", "a", 1)] {
            assert_eq!(edits(a, b), distance, "{a} {b}");
        }
        assert_eq!(nearest("gihtub"), Some("github"));
        assert_eq!(nearest("GitHub"), Some("github"));
        assert_eq!(nearest("somebody-else-entirely"), None);
        assert_eq!(nearest(&"github".repeat(11)), None);
    }
}
