package labs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxYAML = 1 << 20 // bytes of a lab.yaml

	// maxTokens bounds the parser's time, which grows with the square of the
	// keys in one mapping: 350,000 tokens took 32 s, these take 0.1 s.
	// A lab of 64 nodes has some 5,000.
	maxTokens = 20_000

	// maxBlank bounds the lexer's time, which grows with the square of the blank
	// lines in one run: 80,000 at the end of a block text took 30 s.
	maxBlank = 100

	// maxDepth is how deep brackets may be nested, and how many dashes, colons
	// and question marks may begin something new in one line: the parser calls
	// itself for each. A lab needs 4.
	maxDepth = 32
)

// parseYAML reads the YAML of a file and gives the root of its one document,
// or nil and problems. Anchors, aliases, merge keys and tags are refused: they
// can make a gigabyte out of a kilobyte, and a lab says "extends" instead.
func parseYAML(file string, data []byte, probs *collector) (root ast.Node) {
	data, ok := cleanText(file, data, maxYAML, probs)
	if !ok {
		return nil
	}
	if len(bytes.TrimSpace(data)) == 0 {
		probs.add(mark{file, 1, 1}, `begin with "title: …"`, "the file is empty")
		return nil
	}
	if !checkBlank(file, data, probs) {
		return nil
	}
	// The library is fed by strangers; a slip of its own is an error in one
	// file, not the end of the server.
	defer func() {
		if r := recover(); r != nil {
			probs.add(mark{file, 1, 1}, "simplify it, or report this file as a bug", "the YAML reader gave up on this file: %v", r)
			root = nil
		}
	}()

	tokens := lexer.Tokenize(string(data))
	before := len(probs.list)
	checkTokens(file, tokens, probs)
	content := blockContent(tokens)
	checkTabs(file, data, content, probs)
	if len(probs.list) > before {
		return nil
	}
	// The lexer counts spaces at the end of a line into its last value's column.
	if trimmed := trimLines(data, content); len(trimmed) < len(data) {
		tokens = lexer.Tokenize(string(trimmed))
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		syntaxProblem(file, err, probs)
		return nil
	}
	for i, doc := range f.Docs {
		if i > 0 {
			at := mark{file, 1, 1}
			if doc.Start != nil {
				at = markOf(file, doc.Start)
			}
			probs.add(at, `remove the line "---" and what follows`, "a second document begins here")
			return nil
		}
		root = doc.Body
	}
	if root == nil {
		probs.add(mark{file, 1, 1}, `begin with "title: …"`, "the file holds nothing but comments")
	}
	return root
}

// cleanText checks that data is text of at most limit bytes and gives it
// without a byte order mark and with "\n" for line ends.
func cleanText(file string, data []byte, limit int, probs *collector) ([]byte, bool) {
	if len(data) > limit {
		line := bytes.Count(data[:limit], []byte("\n")) + 1
		col := limit - bytes.LastIndexByte(data[:limit], '\n')
		probs.add(mark{file, line, col}, "shorten it; what is large goes into files of its own",
			"the file is larger than %s", byteSize(int64(limit)))
		return nil, false
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	line, col := 1, 0
	for rest := data; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		col++
		switch {
		case r == utf8.RuneError && n == 1:
			probs.add(mark{file, line, col}, "save the file as UTF-8", "byte 0x%02x is not UTF-8", rest[0])
			return nil, false
		case r == '\n':
			line, col = line+1, 0
		case r < ' ' && r != '\t' || r == 0x7f:
			probs.add(mark{file, line, col}, "remove it", "control character %U", r)
			return nil, false
		}
		rest = rest[n:]
	}
	return data, true
}

// checkBlank complains of a run of blank lines that is too long to be meant.
func checkBlank(file string, data []byte, probs *collector) bool {
	n, run := 0, 0
	for line := range bytes.Lines(data) {
		n++
		if len(bytes.TrimSpace(line)) > 0 {
			run = 0
		} else if run++; run > maxBlank {
			probs.add(mark{file, n, 1}, "remove some", "more than %d blank lines follow one another", maxBlank)
			return false
		}
	}
	return true
}

// blockContent is the set of lines that are the content of block scalars ("|"
// and ">"), where tabs and spaces are the author's own.
func blockContent(tokens token.Tokens) map[int]bool {
	content := map[int]bool{}
	for i, tk := range tokens[:max(len(tokens)-1, 0)] {
		if tk.Type == token.LiteralType || tk.Type == token.FoldedType {
			for j := range strings.Count(tokens[i+1].Origin, "\n") + 1 {
				content[tk.Position.Line+1+j] = true
			}
		}
	}
	return content
}

// checkTabs complains of every line that a tab indents.
func checkTabs(file string, data []byte, content map[int]bool, probs *collector) {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		blank := len(bytes.TrimSpace(line)) == 0
		if i := bytes.IndexByte(indent, '\t'); i >= 0 && !blank && (!content[n] || i == 0) {
			probs.add(mark{file, n, i + 1}, "replace it by spaces: YAML takes no tabs there", "a tab indents this line")
		}
	}
}

// trimLines removes spaces from the ends of lines outside block scalars. Lines
// and columns stay what they are.
func trimLines(data []byte, content map[int]bool) []byte {
	out := make([]byte, 0, len(data))
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if content[n] {
			out = append(out, line...)
			continue
		}
		text, end := bytes.CutSuffix(line, []byte("\n"))
		out = append(out, bytes.TrimRight(text, " \t")...)
		if end {
			out = append(out, '\n')
		}
	}
	return out
}

func checkTokens(file string, tokens token.Tokens, probs *collector) {
	if len(tokens) > maxTokens {
		probs.add(markOf(file, tokens[maxTokens]), "split the lab", "the file has more than %d words and signs", maxTokens)
		return
	}
	depth, line, signs := 0, 0, 0
	for _, tk := range tokens {
		var what string
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType:
			if depth > 0 {
				break
			}
			if tk.Position.Line != line {
				line, signs = tk.Position.Line, 0
			}
			signs++
		case token.AnchorType:
			what = "an anchor (&)"
		case token.AliasType:
			what = "an alias (*)"
		case token.MergeKeyType:
			what = "a merge key (<<)"
		case token.TagType:
			what = "a tag (!)"
		}
		if depth > maxDepth || signs > maxDepth {
			probs.add(markOf(file, tk), "write it simpler", "this is nested more than %d deep", maxDepth)
			return
		}
		if what == "" {
			continue
		}
		// One is enough: a file that uses them uses many.
		probs.add(markOf(file, tk), "write it out, use extends, or put quotes around a text that begins so", "%s is not allowed in a lab", what)
		return
	}
}

// syntaxHelp says in plain words what the YAML reader means, by a part of its
// message.
var syntaxHelp = []struct{ part, message, fix string }{
	{"unexpected key name", "this is not “key: value”", `put ": " after the key, or indent the line like its neighbours`},
	{"value is not allowed in this context", "this line is indented unlike its neighbours, or a value has a “: ” in it", "line it up, or put the value in quotes"},
	{"must be specified", "a list or mapping in brackets is not closed", "close it"},
	{"end token", "a list or mapping in brackets is not closed", "close it"},
	{"could not find end character", "a quotation mark is not closed", "close it"},
}

func syntaxProblem(file string, err error, probs *collector) {
	at, msg, fix := mark{file, 1, 1}, err.Error(), ""
	if e, ok := errors.AsType[yaml.Error](err); ok {
		msg = e.GetMessage()
		if tk := e.GetToken(); tk != nil {
			at = markOf(file, tk)
		}
	}
	for _, h := range syntaxHelp {
		if strings.Contains(msg, h.part) {
			msg, fix = h.message, h.fix
			break
		}
	}
	probs.add(at, fix, "%s", msg)
}

func markOf(file string, tk *token.Token) mark {
	if tk == nil || tk.Position == nil {
		return mark{file, 1, 1}
	}
	return mark{file, max(tk.Position.Line, 1), max(tk.Position.Column, 1)}
}

// byteSize writes a size as a lab does: 64M.
func byteSize(n int64) string {
	for _, u := range []struct {
		size int64
		unit string
	}{{1 << 30, "G"}, {1 << 20, "M"}, {1 << 10, "K"}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d%s", n/u.size, u.unit)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// ReadYAML gives the root of the one YAML document in a file that is not a lab's
// own, read with the same bounds and refusals as a lab.yaml. Its error is
// Problems.
func ReadYAML(file string, data []byte) (ast.Node, error) {
	probs := &collector{}
	root := parseYAML(file, data, probs)
	return root, probs.err()
}
