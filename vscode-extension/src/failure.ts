/** What a failure says first. Pure. */

import type { Message } from "./wire";

/**
 * The text of a failure as the Test Explorer shows it: the first line stands beside the code, so that it
 * has to say what went wrong. pytest marks those lines with `E`.
 */
export function failureText({ text }: Message): string {
  const [, said] = /^E {3}(.*\S)/m.exec(text) ?? [];
  return said === undefined || text.startsWith(said) ? text : `${said}\n\n${text}`;
}

/** `pip install …` in what the server says where a package is missing; the names of the packages. */
export function missingPackages(refusal: string): string | undefined {
  return /pip install ([\w.\- ]+?)\s*$/m.exec(refusal)?.[1];
}
