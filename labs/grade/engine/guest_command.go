package engine

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs/grade"
)

func evalCommand(ctx context.Context, t Target, k *grade.Command) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		res, err := a.run(agent.Exec{Args: k.Words(), Timeout: k.Timeout, Limit: 1 << 20})
		if err != nil {
			return false, "", err
		}
		var text string
		switch k.Stream {
		case "stderr":
			text = string(res.Stderr)
		case "both":
			text = string(res.Stdout) + string(res.Stderr)
		case "either":
			if text = string(res.Stdout); strings.TrimSpace(text) == "" {
				text = string(res.Stderr)
			}
		default:
			text = string(res.Stdout)
		}
		var d differences
		exit := 0
		if k.Exit != nil {
			exit = *k.Exit
		}
		if exit >= 0 && res.Code != exit {
			d.add("it ended with exit code %d: %s", res.Code, said(res))
		}
		if k.Output != nil && strings.TrimSpace(*k.Output) != strings.TrimSpace(text) {
			d.add("it printed %s", short(text))
		}
		if err := d.texts(text, k.Contains, k.Matches); err != nil {
			return false, "", err
		}
		return d.result(fmt.Sprintf("it ended with exit code %d and printed %s", res.Code, short(text)))
	})
}

// texts looks for texts, or their absence, and for regular expressions.
func (d *differences) texts(text string, contains, matches []string) error {
	for _, c := range contains {
		rest, barred := grade.Barred(c)
		if has := strings.Contains(text, rest); has && barred {
			d.add("%q is in %s", rest, short(text))
		} else if !has && !barred {
			d.add("%q is not in %s", rest, short(text))
		}
	}
	for _, m := range matches {
		re, err := regexp.Compile(m) // Go's are linear in the text
		if err != nil {
			return fmt.Errorf("a check's regular expression: %w", err)
		}
		if !re.MatchString(text) {
			d.add("%s does not match %s", short(text), m)
		}
	}
	return nil
}

// short quotes a text for a sentence.
func short(text string) string {
	const most = 200
	text = strings.TrimSpace(text)
	if text == "" {
		return "nothing"
	}
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return fmt.Sprintf("%q", text)
}

func evalSysctl(ctx context.Context, t Target, k *grade.Sysctl) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		var d, good differences
		all := k.All()
		for _, key := range slices.Sorted(maps.Keys(all)) {
			path := sysctlPath(key)
			res, err := a.run(agent.Exec{Args: []string{"cat", path}})
			if err != nil {
				return false, "", err
			}
			if res.Code != 0 {
				d.add("%s has no setting %s (%s)", a.name, key, said(res))
				continue
			}
			have := strings.Join(strings.Fields(string(res.Stdout)), " ")
			if slices.ContainsFunc(all[key], func(want string) bool { return strings.Join(strings.Fields(want), " ") == have }) {
				good.add("%s is %s", key, have)
			} else {
				d.add("%s is %s", key, have)
			}
		}
		return d.result(several(good, ""))
	})
}

// sysctlPath is where a setting lies: net.ipv4.conf.eth0/10.rp_filter's dots are
// slashes there and its slash is a dot.
func sysctlPath(key string) string {
	return "/proc/sys/" + strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, key)
}
