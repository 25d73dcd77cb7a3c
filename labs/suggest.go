package labs

import "strings"

// didYouMean is "did you mean X?" when one of the candidates is near to what
// was written, and otherwise.
func didYouMean(written string, candidates []string, otherwise string) string {
	if len(written) > 40 {
		return otherwise
	}
	w := strings.ToLower(written)
	best, bestDist := "", 1+min(2, len(w)/2) // a third of a short word is another word
	for _, c := range candidates {
		if d := distance(w, strings.ToLower(c)); d < bestDist {
			best, bestDist = c, d
		}
	}
	if best == "" {
		return otherwise
	}
	return `did you mean "` + best + `"?`
}

// distance is how many letters must be added, removed, changed or swapped with
// their neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	var before []int
	prev, cur := make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range s {
		cur[0] = i + 1
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			cur[j+1] = min(prev[j+1]+1, cur[j]+1, prev[j]+cost)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				cur[j+1] = min(cur[j+1], before[j-1]+1)
			}
		}
		before, prev, cur = prev, cur, make([]int, len(t)+1)
	}
	return prev[len(t)]
}
