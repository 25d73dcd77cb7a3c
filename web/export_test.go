package web

import "html/template"

// For tests: what pages and limits do, without a server around it.

// RenderGuide renders a guide as the lab page shows it.
func RenderGuide(markdown string) (template.HTML, error) { return newGuides().render(markdown) }

// Limiter is limiter.
type Limiter = limiter

// NewLimiter is newLimiter.
func NewLimiter(perSecond float64, burst int) *Limiter { return newLimiter(perSecond, burst) }

// Allow is allow.
func (l *limiter) Allow(key string) bool { return l.allow(key) }

// Size is how many keys the limiter remembers.
func (l *limiter) Size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.keys)
}

// MaxLimited is maxLimited.
const MaxLimited = maxLimited

// Routes is the router itself, to walk.
func (s *Server) Routes() any { return s.handler }

// OpenAPI is the document as it is served.
func OpenAPI() []byte { return openapiYAML }

// MaxSockets is maxSockets.
const MaxSockets = maxSockets

// MaxVisitingRack is maxVisitingRack.
const MaxVisitingRack = maxVisitingRack
const MaxCaptures = maxCaptures

// What the tests of published pages need.
var (
	PublishedLabel = publishedLabel
	LabelParts     = labelParts
)

// GuestCookie is guestCookie.
func (s *Server) GuestCookie(line string) (string, bool) { return s.guestCookie(line) }

// CheckPublishDomain is checkPublishDomain.
func CheckPublishDomain(c Config) error { return checkPublishDomain(c) }

// TakesWork is closed once work can be handed in.
func (s *Server) TakesWork() <-chan struct{} { return s.desk.Ready() }
