//! The presets: every file of `providers/`, embedded. A preset's id is its file's name.
use crate::Scheme;

include!(concat!(env!("OUT_DIR"), "/providers.rs"));

/// Ids longer than this are not compared for "did you mean".
const COMPARED_BYTES_MAX: usize = 64;

/// All ids, sorted.
pub fn preset_ids() -> impl ExactSizeIterator<Item = &'static str> {
    PROVIDERS.iter().map(|(id, _)| *id)
}

/// The preset of this id, read from its embedded text.
pub fn preset(id: &str) -> Option<Scheme> {
    let (_, text) = PROVIDERS.iter().find(|(known, _)| *known == id)?;
    Some(serde_saphyr::from_str(text).expect("every preset is read by this crate's tests"))
}

/// The id that looks most like `id`, for "did you mean"; none when nothing is near.
pub fn nearest(id: &str) -> Option<&'static str> {
    if id.len() > COMPARED_BYTES_MAX {
        return None;
    }
    let distance = |known: &'static str| (edits(id, known), known);
    let (edits, known) = preset_ids().map(distance).min()?;
    (edits <= 2.max(known.len() / 3)).then_some(known)
}

/// Single-character edits (insert, delete, replace) between two texts.
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

    #[test]
    fn a_misspelt_id_finds_its_neighbour() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(nearest("gihtub"), Some("github"));
        assert_eq!(nearest("stripe"), Some("stripe"));
        assert_eq!(nearest("somebody-else-entirely"), None);
    }
}
