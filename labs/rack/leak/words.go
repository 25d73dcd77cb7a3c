package leak

import (
	"bytes"
	"encoding/binary"
	"time"
)

// words finds many texts at once. Where text could begin is told by a bit for
// a hash of four bytes, and then by a map of eight: with thousands of texts a
// byte takes some two nanoseconds.
type words struct {
	may     [1 << 16 / 64]uint64
	by      map[[minText]byte][]word
	longest int
}

type word struct {
	text  string
	index int
	whole bool // 10.0.0.1 is not in 10.0.0.12
}

func newWords() *words { return &words{by: map[[minText]byte][]word{}} }

func bitOf(b []byte) uint32 { return binary.LittleEndian.Uint32(b) * 2654435761 >> 16 }

func (w *words) add(text string, index int, whole bool) {
	if len(text) < minText {
		return // it would be seen by chance
	}
	b := bitOf([]byte(text[:4]))
	w.may[b/64] |= 1 << (b % 64)
	key := [minText]byte([]byte(text[:minText]))
	w.by[key] = append(w.by[key], word{text, index, whole})
	w.longest = max(w.longest, len(text))
}

// find calls found with the index of each text in data. A text at the very end
// that must be whole is not found when more is to come.
func (w *words) find(data []byte, more bool, found func(index int)) {
	if len(w.by) == 0 {
		return
	}
	for i := 0; i+minText <= len(data); i++ {
		b := bitOf(data[i : i+4])
		if w.may[b/64]&(1<<(b%64)) == 0 {
			continue
		}
		for _, x := range w.by[[minText]byte(data[i:i+minText])] {
			if len(data)-i < len(x.text) || !bytes.Equal(data[i:i+len(x.text)], []byte(x.text)) {
				continue
			}
			if x.whole {
				end := i + len(x.text)
				if end+2 > len(data) && more || end < len(data) && goesOn(data[end:]) || i > 0 && inWord(data[i-1]) {
					continue
				}
			}
			found(x.index)
		}
	}
}

// inWord says whether a byte is part of an address or a name.
func inWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == ':' || c == '-'
}

// goesOn says whether a word goes on here: a full stop or colon at a
// sentence's end does not count.
func goesOn(rest []byte) bool {
	if rest[0] == '.' || rest[0] == ':' || rest[0] == '-' {
		return len(rest) > 1 && inWord(rest[1])
	}
	return inWord(rest[0])
}

// Stream is a stream of text that is looked through piece by piece, such as
// what a console shows. Not safe for concurrent use; a nil Stream looks at nothing.
type Stream struct {
	w          *Watcher
	where, how string
	tail       []byte
}

// Stream makes one. where and how are a Sighting's.
func (w *Watcher) Stream(where, how string) *Stream {
	return &Stream{w: w, where: where, how: how}
}

// Look looks through the next piece.
func (s *Stream) Look(p []byte) {
	if s == nil {
		return
	}
	set := s.w.set.Load()
	if set == nil || set.console.longest == 0 {
		return
	}
	s.tail = append(s.tail, p...)
	set.console.find(s.tail, true, func(i int) { s.w.saw(set, i, time.Now(), s.where, s.how) })
	// One byte before a text and two behind it say whether it is whole.
	if keep := set.console.longest + 3; len(s.tail) > keep {
		n := copy(s.tail, s.tail[len(s.tail)-keep:])
		s.tail = s.tail[:n]
		if cap(s.tail) > 64<<10 {
			s.tail = append([]byte(nil), s.tail...)
		}
	}
}
