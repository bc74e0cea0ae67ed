// Words in captions. A word finds the captions that hold it whole; if there is none, those with a
// word that begins so; if there is none either, those that hold it anywhere. Scripts that write
// without spaces have no whole words: there it is found anywhere at once.

const UNSPACED = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Mymr}]/u;
const WORD_PART = /[\p{L}\p{N}\p{M}]/u;
const HOW = ['', ' begin with it', ' hold it inside a word'];

function plainText(text) { return text.normalize('NFKC').toLowerCase(); }

// Whether two neighbouring characters belong to one word.
function isJoined(left, right) {
  return left !== '' && right !== '' && WORD_PART.test(left) && WORD_PART.test(right)
    && !UNSPACED.test(left) && !UNSPACED.test(right);
}

function characterBefore(text, at) {
  const low = text.charCodeAt(at - 1);
  return at > 1 && low >= 0xdc00 && low < 0xe000 ? text.slice(at - 2, at) : text.slice(at - 1, at);
}

function characterAt(text, at) {
  return at < text.length ? String.fromCodePoint(text.codePointAt(at)) : '';
}

function holds(text, term, strictness) {
  for (let at = text.indexOf(term); at >= 0; at = text.indexOf(term, at + 1)) {
    const end = at + term.length;
    const begins = !at || !isJoined(characterBefore(text, at), characterAt(term, 0));
    const ends = !isJoined(characterBefore(term, term.length), characterAt(text, end));
    if (strictness === 2 || (begins && (strictness === 1 || ends))) return true;
  }
  return false;
}

class Search {
  constructor(captions) {
    this.texts = captions.map(plainText);
  }

  // The rows whose captions hold every word of the query, and how (an index into HOW).
  find(query) {
    const terms = plainText(query).split(/\s+/).filter(Boolean);
    if (!terms.length) return null;
    for (let strictness = 0; strictness < HOW.length; strictness++) {
      const rows = [];
      this.texts.forEach((text, row) => {
        if (terms.every((term) => holds(text, term, strictness))) rows.push(row);
      });
      if (rows.length || strictness === HOW.length - 1) return { rows, strictness };
    }
    return null;
  }
}
