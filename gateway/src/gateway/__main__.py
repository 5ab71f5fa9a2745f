"""`python -m gateway`: serves until SIGTERM or SIGINT; finishes what runs, then closes."""

import gc
import sys

from gateway.app import create_app
from gateway.server import HurryingServer, server_config
from gateway.settings import GatewaySettings
from kit import fault_points
from kit.logs import configure_logging
from kit.settings import SettingsRefused


def main() -> int:
    try:
        settings = GatewaySettings.load()
    except SettingsRefused as error:
        sys.stderr.write(f"The gateway does not start:\n{error}\n")
        return 2
    configure_logging("gateway", level=settings.log_level, style=settings.log_format)
    fault_points.configure(settings.fault_point)
    app = create_app(settings)
    server = HurryingServer(server_config(app, settings), app.hurry)
    gc.collect()
    gc.freeze()
    server.run()
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
