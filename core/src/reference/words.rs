//! Enums whose variants have a word each.

/// Makes an enum of a table: a row for each variant, with its word. So no list of its variants can lack one.
#[macro_export]
macro_rules! words {
    ($(#[$about:meta])* $vis:vis enum $name:ident, $(#[$says:meta])* fn $word:ident {
        $($(#[$row:meta])* $variant:ident = $text:literal,)+
    }) => {
        $(#[$about])*
        $vis enum $name {
            $($(#[$row])* $variant,)+
        }

        impl $name {
            /// Every row, in the order of the table.
            $vis const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            $(#[$says])*
            $vis const fn $word(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}
