"""Captions of scenes beside sentences written by hand: gender, number, case, agreement, counters, elision."""

import pytest

from ccalign_jax.scenes import LANGUAGES, Group, Scene, describe, list_objects

SCENES = (
    Scene("street", Group("car", "orange")),
    Scene("room", Group("cat", "white", 2)),
    Scene("snow", Group("house", "brown", 3)),
    Scene("meadow", Group("flower", "pink", 6)),
    Scene("beach", Group("balloon", "purple", 12)),
    Scene("sea", Group("duck", "green"), "left", Group("boat", "red", 2)),
    Scene("mountains", Group("tree", "yellow", 4), "right", Group("elephant", "grey")),
    Scene("desert", Group("plane", "black", 2), "above", Group("chair", "blue", 3)),
    Scene("forest", Group("table", "orange"), "below", Group("butterfly", "purple", 2)),
    Scene("night", Group("apple", "red", 2), "on", Group("table", "white")),
    Scene("rain", Group("bottle", "pink"), "left", Group("book", "brown", 5)),
    Scene("sunset", Group("bird", "blue", 5), "right", Group("star", "yellow", 2)),
    Scene("room", Group("ball", "black", 12)),
    Scene("meadow", Group("clock", "grey", 3), "left", Group("umbrella", "purple")),
    Scene("desert", Group("fish", "white", 2), "below", Group("hat", "pink", 12)),
)

GOLD = {
    "ar": """
        سيارة برتقالية في شارع.
        قطتان بيضاوان في غرفة.
        ثلاثة بيوت بنّية في الثلج.
        ست زهرات وردية في مرج.
        اثنا عشر بالونًا بنفسجيًا فوق الشاطئ.
        بطة خضراء إلى يسار قاربين أحمرين في البحر.
        أربع أشجار صفراء إلى يمين فيل رمادي في الجبال.
        طائرتان سوداوان فوق ثلاثة كراسي زرقاء في الصحراء.
        طاولة برتقالية تحت فراشتين بنفسجيتين في غابة.
        تفاحتان حمراوان على طاولة بيضاء ليلًا.
        زجاجة وردية إلى يسار خمسة كتب بنّية تحت المطر.
        خمسة عصافير زرقاء إلى يمين نجمين أصفرين عند الغروب.
        اثنتا عشرة كرة سوداء في غرفة.
        ثلاث ساعات رمادية إلى يسار مظلة بنفسجية في مرج.
        سمكتان بيضاوان تحت اثنتي عشرة قبعة وردية في الصحراء.
    """,
    "de": """
        Ein orangefarbenes Auto auf einer Straße.
        Zwei weiße Katzen in einem Zimmer.
        Drei braune Häuser im Schnee.
        Sechs rosa Blumen auf einer Wiese.
        Zwölf lila Luftballons über dem Strand.
        Eine grüne Ente links von zwei roten Booten im Meer.
        Vier gelbe Bäume rechts von einem grauen Elefanten in den Bergen.
        Zwei schwarze Flugzeuge über drei blauen Stühlen in der Wüste.
        Ein orangefarbener Tisch unter zwei lila Schmetterlingen in einem Wald.
        Zwei rote Äpfel auf einem weißen Tisch bei Nacht.
        Eine rosa Flasche links von fünf braunen Büchern im Regen.
        Fünf blaue Vögel rechts von zwei gelben Sternen bei Sonnenuntergang.
        Zwölf schwarze Bälle in einem Zimmer.
        Drei graue Uhren links von einem lila Regenschirm auf einer Wiese.
        Zwei weiße Fische unter zwölf rosa Hüten in der Wüste.
    """,
    "en": """
        An orange car on a street.
        Two white cats in a room.
        Three brown houses in the snow.
        Six pink flowers in a meadow.
        Twelve purple balloons over a beach.
        A green duck to the left of two red boats in the sea.
        Four yellow trees to the right of a grey elephant in the mountains.
        Two black planes above three blue chairs in the desert.
        An orange table below two purple butterflies in a forest.
        Two red apples on a white table at night.
        A pink bottle to the left of five brown books in the rain.
        Five blue birds to the right of two yellow stars at sunset.
        Twelve black balls in a room.
        Three grey clocks to the left of a purple umbrella in a meadow.
        Two white fish below twelve pink hats in the desert.
    """,
    "es": """
        Un coche naranja en una calle.
        Dos gatos blancos en una habitación.
        Tres casas marrones en la nieve.
        Seis flores rosa en un prado.
        Doce globos morados sobre la playa.
        Un pato verde a la izquierda de dos barcos rojos en el mar.
        Cuatro árboles amarillos a la derecha de un elefante gris en las montañas.
        Dos aviones negros por encima de tres sillas azules en el desierto.
        Una mesa naranja debajo de dos mariposas moradas en un bosque.
        Dos manzanas rojas sobre una mesa blanca por la noche.
        Una botella rosa a la izquierda de cinco libros marrones bajo la lluvia.
        Cinco pájaros azules a la derecha de dos estrellas amarillas al atardecer.
        Doce pelotas negras en una habitación.
        Tres relojes grises a la izquierda de un paraguas morado en un prado.
        Dos peces blancos debajo de doce sombreros rosa en el desierto.
    """,
    "fr": """
        Une voiture orange dans une rue.
        Deux chats blancs dans une pièce.
        Trois maisons marron dans la neige.
        Six fleurs roses dans un pré.
        Douze ballons de baudruche violets au-dessus d'une plage.
        Un canard vert à gauche de deux bateaux rouges en mer.
        Quatre arbres jaunes à droite d'un éléphant gris à la montagne.
        Deux avions noirs au-dessus de trois chaises bleues dans le désert.
        Une table orange sous deux papillons violets dans une forêt.
        Deux pommes rouges sur une table blanche dans la nuit.
        Une bouteille rose à gauche de cinq livres marron sous la pluie.
        Cinq oiseaux bleus à droite de deux étoiles jaunes au coucher du soleil.
        Douze balles noires dans une pièce.
        Trois horloges grises à gauche d'un parapluie violet dans un pré.
        Deux poissons blancs sous douze chapeaux roses dans le désert.
    """,
    "it": """
        Una macchina arancione in una strada.
        Due gatti bianchi in una stanza.
        Tre case marroni nella neve.
        Sei fiori rosa in un prato.
        Dodici palloncini viola sopra la spiaggia.
        Un'anatra verde a sinistra di due barche rosse in mare.
        Quattro alberi gialli a destra di un elefante grigio in montagna.
        Due aerei neri sopra tre sedie blu nel deserto.
        Un tavolo arancione sotto due farfalle viola in un bosco.
        Due mele rosse su un tavolo bianco di notte.
        Una bottiglia rosa a sinistra di cinque libri marroni sotto la pioggia.
        Cinque uccelli blu a destra di due stelle gialle al tramonto.
        Dodici palle nere in una stanza.
        Tre orologi grigi a sinistra di un ombrello viola in un prato.
        Due pesci bianchi sotto dodici cappelli rosa nel deserto.
    """,
    "ja": """
        街の通りにオレンジ色の車が一台ある。
        部屋の中に白い猫が二匹いる。
        雪の中に茶色い家が三軒ある。
        草原にピンク色の花が六本咲いている。
        浜辺の上空に紫色の風船が十二個浮かんでいる。
        海には、二隻の赤い船の左に緑色のアヒルが一羽いる。
        山の中には、一頭の灰色のゾウの右に黄色い木が四本ある。
        砂漠では、三脚の青い椅子の上を黒い飛行機が二機飛んでいる。
        森の中には、二匹の紫色の蝶の下にオレンジ色のテーブルが一台ある。
        夜の野原には、一台の白いテーブルの上に赤いリンゴが二個ある。
        雨の中には、五冊の茶色い本の左にピンク色の瓶が一本ある。
        夕焼け空では、二個の黄色い星の右を青い鳥が五羽飛んでいる。
        部屋の中に黒いボールが十二個ある。
        草原には、一本の紫色の傘の左に灰色の時計が三個ある。
        砂漠には、十二個のピンク色の帽子の下に白い魚が二匹いる。
    """,
    "pt": """
        Um carro laranja em uma rua.
        Dois gatos brancos em uma sala.
        Três casas marrons na neve.
        Seis flores rosa em um gramado.
        Doze balões roxos sobre a praia.
        Um pato verde à esquerda de dois barcos vermelhos no mar.
        Quatro árvores amarelas à direita de um elefante cinza nas montanhas.
        Dois aviões pretos acima de três cadeiras azuis no deserto.
        Uma mesa laranja abaixo de duas borboletas roxas em uma floresta.
        Duas maçãs vermelhas em cima de uma mesa branca à noite.
        Uma garrafa rosa à esquerda de cinco livros marrons na chuva.
        Cinco pássaros azuis à direita de duas estrelas amarelas ao pôr do sol.
        Doze bolas pretas em uma sala.
        Três relógios cinza à esquerda de um guarda-chuva roxo em um gramado.
        Dois peixes brancos abaixo de doze chapéus rosa no deserto.
    """,
    "zh": """
        街道上有一辆橙色的汽车。
        房间里有两只白色的猫。
        雪地里有三座棕色的房子。
        草地上有六朵粉色的花。
        海滩上空有十二个紫色的气球。
        海里，两艘红色的船左边有一只绿色的鸭子。
        山里，一头灰色的大象右边有四棵黄色的树。
        沙漠里，三把蓝色的椅子上方有两架黑色的飞机。
        森林里，两只紫色的蝴蝶下方有一张橙色的桌子。
        夜色中，一张白色的桌子上有两个红色的苹果。
        雨中，五本棕色的书左边有一个粉色的瓶子。
        夕阳下，两颗黄色的星星右边有五只蓝色的鸟。
        房间里有十二个黑色的球。
        草地上，一把紫色的雨伞左边有三个灰色的时钟。
        沙漠里，十二顶粉色的帽子下方有两条白色的鱼。
    """,
}

SHORT = {
    "ar": "بطة خضراء وقاربان أحمران.",
    "de": "Eine grüne Ente und zwei rote Boote.",
    "en": "A green duck and two red boats.",
    "es": "Un pato verde y dos barcos rojos.",
    "fr": "Un canard vert et deux bateaux rouges.",
    "it": "Un'anatra verde e due barche rosse.",
    "ja": "一羽の緑色のアヒルと二隻の赤い船。",
    "pt": "Um pato verde e dois barcos vermelhos.",
    "zh": "一只绿色的鸭子和两艘红色的船。",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_are_those_written_by_hand(language):
    gold = [line.strip() for line in GOLD[language].strip().splitlines()]
    assert [describe(scene, language) for scene in SCENES] == gold
    assert list_objects(SCENES[5], language) == SHORT[language]


def test_the_list_of_one_group_is_the_group():
    assert list_objects(SCENES[1], "de") == "Zwei weiße Katzen."


def test_an_unknown_language_is_one_line(one_line):
    one_line(lambda: describe(SCENES[0], "xx"), "'xx'", "ar, de, en, es, fr, it, ja, pt, zh")
