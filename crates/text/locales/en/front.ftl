# Area: front
# What a visitor of the application sees instead of it.

front-updating-heading = { $name } is being updated
front-updating-heading-nameless = The application is being updated
front-updating-text = Version { $version } is being installed; the application will be back in a moment. Everything you saved before is safe.

front-starting-heading = { $name } is starting
front-starting-heading-nameless = The application is starting
front-starting-text = It will be ready in a moment.

front-unreachable-heading = { $name } is not responding
front-unreachable-heading-nameless = The application is not responding
front-unreachable-text = It may be starting again. If this lasts for more than a few minutes, please tell your administrator.

front-reloads = This page reloads by itself. There is nothing you need to do.
front-not-sent = What you have just sent was not saved. Wait a moment, then go back in your browser and send it again.
front-maybe-sent = What you have just sent may not have been saved. Wait a moment, then check before you send it again.
