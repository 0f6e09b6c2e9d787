# Area: front
# What a visitor of the application sees instead of it.

front-updating-heading = { $name } se právě aktualizuje
front-updating-heading-nameless = Aplikace se právě aktualizuje
front-updating-text = Instaluje se verze { $version }. Za chvíli bude aplikace zpět. Vše, co jste předtím uložili, je v bezpečí.

front-starting-heading = { $name } se spouští
front-starting-heading-nameless = Aplikace se spouští
front-starting-text = Za chvíli bude aplikace připravena.

front-unreachable-heading = { $name } neodpovídá
front-unreachable-heading-nameless = Aplikace neodpovídá
front-unreachable-text = Možná se právě znovu spouští. Pokud to trvá déle než několik minut, obraťte se prosím na správce.

front-reloads = Tato stránka se obnovuje sama. Nemusíte nic dělat.
front-not-sent = To, co jste právě odeslali, se neuložilo. Chvíli počkejte, pak se v prohlížeči vraťte zpět a odešlete to znovu.
front-maybe-sent = To, co jste právě odeslali, se možná neuložilo. Chvíli počkejte a před novým odesláním to zkontrolujte.
