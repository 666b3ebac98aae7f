/** Texts that VS Code sorts in the order of their characters. Pure. */

/**
 * A key for `sortText`. VS Code compares keys as it does file names: by the rules of the user's
 * language, without regard to case, and with every run of digits as one number. In the key each UTF-16
 * code unit is a number of its own, always five digits long, which any language compares alike.
 */
export function collationKey(text: string): string {
  let key = "";
  for (let index = 0; index < text.length; index += 1) {
    key += `${text.charCodeAt(index).toString().padStart(5, "0")}.`;
  }
  return key;
}
