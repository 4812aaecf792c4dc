"""The library as a service: an API and a page. Needs the extra 'service'."""
