package kathara

import (
	"slices"
	"strings"
)

// readDep reads a lab.dep, "device: those that start before it", and gives the
// order of starting: for each device those that it waits for.
func readDep(f *findings, file string, data []byte, devices []string) map[string][]string {
	if len(data) > maxConf {
		f.bad(file, 0, "a lab.dep has a line for each device", "this is larger than %d MiB", maxConf>>20)
		return nil
	}
	after, where := map[string][]string{}, map[string]int{}
	for i, line := range linesOf(data) {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, rest, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		if !ok || len(strings.Fields(name)) != 1 {
			f.bad(file, i+1, "write device: those that start before it", "this line of lab.dep is not understood: %s", quoted(line))
			continue
		}
		for _, d := range append([]string{name}, strings.Fields(rest)...) {
			if !slices.Contains(devices, d) {
				f.bad(file, i+1, "name devices of lab.conf", "there is no device %s", quoted(d))
			}
		}
		after[name] = append(after[name], strings.Fields(rest)...)
		where[name] = i + 1
	}
	for _, d := range devices { // a loop would never start
		if reaches(after, d, d, map[string]bool{}) {
			f.bad(file, where[d], "remove one of them", "%s waits for itself, by way of those that it waits for", d)
			break
		}
	}
	return after
}

// reaches says whether from waits for to, directly or not.
func reaches(after map[string][]string, from, to string, seen map[string]bool) bool {
	for _, d := range after[from] {
		if d == to {
			return true
		}
		if !seen[d] {
			seen[d] = true
			if reaches(after, d, to, seen) {
				return true
			}
		}
	}
	return false
}
