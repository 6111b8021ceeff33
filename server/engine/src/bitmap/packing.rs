//! The codes of a set's places, one after the other.

use super::kernels::Kernels;

/// Codes by which the room for packed codes must be longer than there are places.
pub const PACKING_SLACK: usize = 64;

/// Writes the codes of the places in some words to the front of `out`; how many there are. The
/// codes begin with that of the first word's lowest place, 64 a word: whatever lacks of the last
/// word's is left out with the whole word. `out` must have [`PACKING_SLACK`] codes more than
/// there are places, or not all are written.
///
/// Codes have 1, 2, 4 or 8 bytes; of any other width nothing is written.
pub fn pack_codes<const WIDTH: usize>(
    words: &[u64],
    codes: &[[u8; WIDTH]],
    out: &mut [[u8; WIDTH]],
) -> usize {
    let (codes, out) = (codes.as_flattened(), out.as_flattened_mut());
    let kernels = Kernels::best();
    match WIDTH {
        1 => kernels.pack_ones(words, codes, out),
        2 => kernels.pack_twos(words, codes, out),
        4 => kernels.pack_fours(words, codes, out),
        8 => kernels.pack_eights(words, codes, out),
        _ => 0,
    }
}

/// `out` becomes what a table has for each code, in their order, as far as `out` goes.
pub fn translate_codes(codes: &[[u8; 1]], table: &[u8; 256], out: &mut [u8]) {
    Kernels::best().translate(codes.as_flattened(), table, out);
}
