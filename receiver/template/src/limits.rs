//! Bounds of the template language, each with its reason.

/// Bytes of one template's text. Long enough for any alternatives list seen in practice; short enough that
/// a status message can quote it whole.
pub const TEMPLATE_BYTES_MAX: usize = 1024;
/// Holes and literals in one template: keeps rendering to a handful of copies.
pub const PARTS_MAX: usize = 32;
/// Alternatives in one hole.
pub const ALTERNATIVES_MAX: usize = 8;
/// Bytes that one rendering may produce; beyond it the value counts as missing, so that a hostile body cannot
/// blow up keys, headers or columns. `{body}` alone is exempt: it borrows.
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024;
/// Different JSON pointers of one endpoint or sink (the scan keeps one slot each).
pub const POINTERS_MAX: usize = 64;
/// Steps of one JSON pointer.
pub const POINTER_DEPTH_MAX: usize = 16;
/// Nesting of a JSON body: deeper than any provider sends, shallower than any consumer's recursion limit (128).
pub const JSON_DEPTH_MAX: usize = 64;
