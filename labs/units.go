package labs

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxDuration bounds delays and times of events: a day outlasts any lesson.
const maxDuration = 24 * time.Hour

// ParseDuration reads a time such as "20ms" or "1.5s", at most a day and not
// negative. "0" needs no unit.
func ParseDuration(s string) (time.Duration, error) {
	t, err := time.ParseDuration(strings.ReplaceAll(s, " ", ""))
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s is no time: want one such as 20ms or 1.5s", quoteShort(s))
	case t < 0:
		return 0, errors.New("a time cannot be negative")
	case t > maxDuration:
		return 0, fmt.Errorf("%s is more than a day", quoteShort(s))
	}
	return t, nil
}
