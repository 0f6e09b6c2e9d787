# Co dodavatel prokázal o cestě zpět z verze.
proof-from = Cesta zpět je prokázána z { $versions } na { $databases }.
proof-how = Dodavatel tuto aktualizaci { $rounds ->
    [one] jednou přerušil
   *[other] { $rounds }krát přerušil, pokaždé v jiném okamžiku
 }. Potom bylo vše jako předtím, nebo tu byla úplná nová verze; nikdy nic mezi tím.
proof-not-from = Z verze { $installed }, kterou máte, prokázána není.
proof-none = Dodavatel cestu zpět z této verze neprokázal. Funguje jako vždy; zkouška ji vyzkouší na vašich vlastních datech.
