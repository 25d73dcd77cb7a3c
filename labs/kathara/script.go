package kathara

import (
	"regexp"
	"strings"
)

// command is a startup command and the comments above it.
type command struct {
	comments []string
	text     string // one line, or several
}

// Bounds of startup commands that labs.Load sets.
const (
	maxCommands = 48
	maxText     = 4000
)

// compound are words and signs by which a line may need others: such a script
// stays in one piece.
var (
	compound = regexp.MustCompile(`^\s*(if|then|else|elif|fi|for|while|until|do|done|case|esac|select|function|exit|return|set|exec|trap|shopt|[{}()])(\s|;|$)`)
	joined   = regexp.MustCompile("\\\\$|(&&|\\|\\||\\||[{(])\\s*$|<<|\\$0|\\$[1-9@*#]|`|\\(\\)|;;|\\b(exit|do|then)\\b|^\\s*(&&|\\||;)")
)

// commandsOf takes a script apart into commands, when each of its lines stands
// for itself.
func commandsOf(script string) (list []command, ok bool) {
	var comments []string
	for _, line := range strings.Split(script, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			continue
		case strings.HasPrefix(line, "#!"):
			continue
		case strings.HasPrefix(line, "#"):
			comments = append(comments, plainText(line))
			continue
		case compound.MatchString(line), joined.MatchString(line), !balanced(line), len(line) > 1000, line != plainText(line):
			return nil, false
		}
		list = append(list, command{comments, line})
		comments = nil
	}
	if len(list) > maxCommands {
		return nil, false
	}
	if len(comments) > 0 && len(list) > 0 {
		last := &list[len(list)-1]
		last.comments = append(last.comments, comments...)
	}
	return list, true
}

// balanced says whether every quote of a line ends in it.
func balanced(line string) bool {
	var open rune
	skip := false
	for _, r := range line {
		switch {
		case skip:
			skip = false
		case r == '\\' && open != '\'':
			skip = true
		case open == 0 && (r == '"' || r == '\''):
			open = r
		case r == open:
			open = 0
		}
	}
	return open == 0 && !skip
}
