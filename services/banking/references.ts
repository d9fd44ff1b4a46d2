/** How our references look, wherever somebody else wrote them down: an instruction's id. */
export const OUR_REFERENCE = '[0-7][0-9A-HJKMNP-TV-Z]{25}'
