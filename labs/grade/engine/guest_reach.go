package engine

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs/grade"
)

func evalReach(ctx context.Context, t Target, k *grade.Reach) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		count := k.Count
		if count == 0 {
			count = 2
		}
		var d, good differences
		for _, to := range k.To {
			rest, barred := grade.Barred(to)
			args := []string{"ping", "-q", "-c", strconv.Itoa(count), "-i", "0.2", "-W", "1"}
			if k.From != "" {
				args = append(args, "-I", k.From)
			}
			if k.Size > 0 {
				args = append(args, "-s", strconv.Itoa(k.Size))
			}
			if k.Whole {
				args = append(args, "-M", "do")
			}
			res, err := a.run(agent.Exec{Args: append(args, "--", rest), Timeout: time.Duration(count)*time.Second + programTimeout})
			if err != nil {
				return false, "", err
			}
			// 1: nothing was answered; 2: it could not even be tried.
			switch answers := parsePing(string(res.Stdout)); {
			case answers > 0 && barred:
				d.add("%s reaches %s", a.name, rest)
			case answers > 0:
				good.add("%s answered %d of %d", rest, answers, count)
			case barred && res.Code <= 2:
				good.add("%s did not answer", rest)
			case res.Code == 1:
				d.add("%s answered none of %d pings", rest, count)
			case res.Code == 2:
				d.add("%s cannot be pinged: %s", rest, said(res))
			default:
				return false, "", a.silent("its ping ended with exit code %d", res.Code)
			}
		}
		return d.result(several(good, ""))
	})
}

var pingAnswers = regexp.MustCompile(`(?m)^\d+ packets transmitted, (\d+) received`)

// parsePing is how many answers ping counted.
func parsePing(text string) int {
	m := pingAnswers.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return n
}

func evalHTTP(ctx context.Context, t Target, k *grade.HTTP) (verdict, error) {
	return ask(ctx, t, k.Node, func(a *asker) (bool, string, error) {
		args := []string{"curl", "-sS", "-q", "-i", "--max-time", "8", "--noproxy", "*", "--proto", "=http,https"}
		if k.Method != "" && k.Method != "GET" {
			if k.Method == "HEAD" {
				args = append(args, "-I")
			} else {
				args = append(args, "-X", k.Method)
			}
		}
		for name, value := range k.Send {
			args = append(args, "-H", name+": "+value)
		}
		if k.Insecure {
			args = append(args, "-k")
		}
		if k.Follow {
			args = append(args, "-L")
		}
		e := agent.Exec{Limit: 1 << 20}
		if k.Body != "" {
			args, e.Stdin = append(args, "--data-binary", "@-"), []byte(k.Body)
		}
		e.Args = append(args, "--", k.URL)
		res, err := a.run(e)
		if err != nil {
			return false, "", err
		}
		if res.Code != 0 {
			return false, a.name + " got no answer from " + k.URL + ": " + said(res), nil
		}
		status, headers, body := parseHTTP(string(res.Stdout))
		want := k.Status
		if want == 0 {
			want = 200
		}
		var d differences
		if want > 0 && status != want {
			d.add("the status was %d", status)
		}
		for name, value := range k.Headers {
			have, ok := headers[strings.ToLower(name)]
			if !ok {
				d.add("the answer has no header %s", name)
			} else if value != "*" && !strings.EqualFold(value, have) {
				d.add("the header %s was %q", name, have)
			}
		}
		if err := d.texts(body, k.Contains, k.Matches); err != nil {
			return false, "", err
		}
		return d.result("the status was " + strconv.Itoa(status))
	})
}

// parseHTTP takes what curl -i prints apart: the last answer, after redirections
// and 100 Continue. Names of headers are in small letters.
func parseHTTP(text string) (status int, headers map[string]string, body string) {
	for strings.HasPrefix(text, "HTTP/") {
		head, rest, ok := strings.Cut(text, "\r\n\r\n")
		if !ok {
			rest = ""
		}
		text, headers = rest, map[string]string{}
		for i, line := range strings.Split(head, "\r\n") {
			if i == 0 {
				if f := strings.Fields(line); len(f) > 1 {
					status, _ = strconv.Atoi(f[1]) // 0 is no status
				}
				continue
			}
			name, value, _ := strings.Cut(line, ":")
			headers[strings.ToLower(name)] = strings.TrimSpace(value)
		}
		if status >= 200 && (status < 300 || status >= 400) {
			break // what follows is a page, whatever it begins with
		}
	}
	return status, headers, text
}
