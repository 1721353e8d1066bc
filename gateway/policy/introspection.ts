/** Whether a document asks for the schema itself. */
import { BREAK, type DocumentNode, visit } from 'graphql';

const answers = new WeakMap<DocumentNode, boolean>();

export function introspects(document: DocumentNode): boolean {
  let answer = answers.get(document);
  if (answer === undefined) {
    answer = false;
    visit(document, {
      Field({ name }) {
        if (name.value !== '__schema' && name.value !== '__type') return undefined;
        answer = true;
        return BREAK;
      },
    });
    answers.set(document, answer);
  }
  return answer;
}
