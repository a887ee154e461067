"""AWS on one machine: moto, Lambda workers, the HTTP API, schedules."""
