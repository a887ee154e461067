"""AWS on one machine: moto, Lambda workers, the HTTP API, schedules."""

from local.aws.left_out_services import leave_out

leave_out()  # before any module of this package imports moto
