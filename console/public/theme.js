// Before the first paint, so that a chosen theme does not flash; its own file, because the page's policy forbids inline scripts.
try {
  const theme = localStorage.getItem('pilothouse.theme')
  if (theme === 'light' || theme === 'dark' || theme === 'contrast') document.documentElement.dataset.theme = theme
} catch {
  // Storage is forbidden: the system's theme stays.
}
